/** Temporal goes away and comes back, with the API and a worker running: all that was said meanwhile arrives, in order. */
import type { Client as TemporalSdkClient } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { RefusingProxy } from '../harness/refusing-proxy';
import { registerBody, RunningApi } from '../harness/running-api';
import { testServers } from '../harness/servers';
import { connectTemporal, type TemporalClient } from '../harness/temporal';
import { until } from '../harness/until';

let proxy: RefusingProxy;
let running: RunningApi;
let temporal: TemporalClient;

beforeAll(async () => {
  proxy = await RefusingProxy.to(testServers().temporalAddress);
  temporal = await connectTemporal();
  running = await RunningApi.start({
    worker: true,
    env: { TEMPORAL_ADDRESS: proxy.address, OUTBOX_RELAY_MS: '200' },
  });
});

afterAll(async () => {
  await running?.stop();
  await temporal?.close();
  await proxy?.cut();
});

const AGENTS = 6;

test('what is said during an outage is acknowledged at once, kept, and told in order afterwards', async () => {
  const agents: { agentId: string; instanceId: string }[] = [];
  for (let number = 0; number < AGENTS; number += 1) {
    const instanceId = `i-${number}`;
    const body = registerBody(`outage-${number}`, instanceId);
    const reply = await running.call('POST', '/api/agents/register', running.alpha.client, body);
    agents.push({ agentId: reply.body.agent_id as string, instanceId });
  }
  const send = (agentId: string, path: string, body: object) =>
    running.call('POST', `/api/agents/${agentId}/${path}`, running.alpha.client, body);
  const beat = ({ agentId, instanceId }: (typeof agents)[number], body: object = {}) =>
    send(agentId, 'heartbeat', { instance_id: instanceId, ...body });
  for (const agent of agents) expect((await beat(agent)).status).toBe(200);
  await until('all is told', async () => (await waiting()) === 0, 10_000);
  const before = await Promise.all(agents.map(({ agentId }) => signalsOf(temporal.client, agentId)));

  await proxy.cut();
  const start = Date.now();
  for (const agent of agents) {
    for (const health of ['unhealthy', 'healthy', 'unhealthy']) {
      expect((await beat(agent, { health })).status).toBe(200);
    }
    expect((await send(agent.agentId, 'keep-alive', { minutes: 7 })).status).toBe(202);
    const notice = { instance_id: 'i-other', action: 'terminate', time: '2026-01-01T00:02:00Z' };
    expect((await send(agent.agentId, 'termination-imminent', notice)).status).toBe(202);
    expect((await beat(agent, { status: 'offline' })).status).toBe(200);
  }
  // The first notice or so waits to see whether it is delivered; then nobody does.
  expect(Date.now() - start).toBeLessThan(6_000);
  expect(await waiting()).toBe(AGENTS * 6);
  await proxy.mend();
  await until('all is told', async () => (await waiting()) === 0, 30_000);
  for (const [index, { agentId }] of agents.entries()) {
    let heard: string[] = [];
    // What comes while a workflow task is under way gets into the history when that has ended.
    const all = async () => {
      heard = (await signalsOf(temporal.client, agentId)).slice(before[index]!.length);
      return heard.length >= 6;
    };
    await until('all is in the history', all, 20_000);
    expect(heard).toEqual([
      'heartbeat 2 unhealthy',
      'heartbeat 3 healthy',
      'heartbeat 4 unhealthy',
      'keepAlive',
      'terminationNotice',
      'goneOffline 5',
    ]);
  }
  await until(
    'the books say so',
    async () => {
      const { rows } = await running.sql.query<{ status: string; health: string }>(
        `select distinct status, health from agents where client_id = 'alpha'`,
      );
      return rows.length === 1 && rows[0]!.status === 'offline' && rows[0]!.health === 'unhealthy';
    },
    20_000,
  );
}, 90_000);

async function waiting(): Promise<number> {
  const { rows } = await running.sql.query<{ n: number }>('select count(*)::int as n from outbox');
  return rows[0]!.n;
}

/** The signals in an agent's history, in their order. */
async function signalsOf(client: TemporalSdkClient, agentId: string): Promise<string[]> {
  const { events } = await client.workflow.getHandle(`agent:${agentId}`).fetchHistory();
  return (events ?? []).flatMap(({ workflowExecutionSignaledEventAttributes: signal }) => {
    const [payload] = signal?.input?.payloads ?? [];
    if (!signal?.signalName || !payload) return [];
    const { revision, health } = defaultPayloadConverter.fromPayload<{ revision?: number; health?: string }>(
      payload,
    );
    return [[signal.signalName, revision, health].filter((part) => part !== undefined).join(' ')];
  });
}
