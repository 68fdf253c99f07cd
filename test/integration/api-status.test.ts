/** Dumont's dialect of heartbeats: no registration, an instance by its id, and the source's own replies. */
import { randomUUID } from 'node:crypto';
import { connectTemporal, type TemporalClient } from '../harness/temporal';
import { registerBody, RunningApi } from '../harness/running-api';
import { until } from '../harness/until';

let running: RunningApi;
let temporal: TemporalClient;

beforeAll(async () => {
  [running, temporal] = await Promise.all([RunningApi.start({ worker: true }), connectTemporal()]);
});

afterAll(async () => {
  await running?.stop();
  await temporal?.close();
});

/** The source's own example. */
const EXAMPLE = {
  gpu_utilization: 87,
  vram_used_gb: 18.4,
  cpu_utilization: 45,
  ram_used_gb: 12.0,
  disk_used_gb: 45.2,
  cost_accumulated: 2.4,
  status: 'running',
  uptime_seconds: 7200,
};

let count = 28_864_630;
const newInstance = () => String(count++);
const send = (instanceId: string, body: object = {}, token = running.alpha.client) =>
  running.call('POST', '/api/agent/status', token, { ...EXAMPLE, instance_id: instanceId, ...body });
const agentsOf = async (instanceId: string) =>
  (
    await running.sql.query<{ id: string; logical_agent_id: string; status: string }>(
      `select agents.* from agents join instance_standing on agent_id = agents.id where instance_id = $1
       order by agents.created_at`,
      [instanceId],
    )
  ).rows;

test('the first status makes the agent, later ones find it', async () => {
  const instanceId = newInstance();
  const reply = await send(instanceId);
  expect([reply.status, reply.body]).toEqual([
    200,
    { success: true, message: 'Heartbeat received', next_heartbeat_in_seconds: 60, actions: [] },
  ]);
  const [agent, ...others] = await agentsOf(instanceId);
  expect(others).toEqual([]);
  expect(agent).toMatchObject({
    logical_agent_id: instanceId,
    client_id: 'alpha',
    instance_type: 'unknown',
    az: 'unknown',
    region: 'unknown',
    account_id: 'unknown',
  });
  expect((await send(instanceId)).status).toBe(200);
  expect(await running.lease(agent!.id, instanceId)).toMatchObject({ heartbeats: '2', state: 'live' });
  const state = await temporal.client.workflow.getHandle(`agent:${agent!.id}`).query('agentState');
  expect(state).toMatchObject({ logicalAgentId: instanceId, primary: { instanceId, accountId: 'unknown' } });
  await until('it is online', async () => (await agentsOf(instanceId))[0]?.status === 'online', 10_000);
});

test("many first ones at once make one agent, and another client's instance of the same id another", async () => {
  const instanceId = newInstance();
  const replies = await Promise.all([
    ...Array.from({ length: 8 }, () => send(instanceId)),
    send(instanceId, {}, running.beta.client),
  ]);
  expect(replies.map((reply) => reply.status)).toEqual(Array(9).fill(200));
  const agents = await agentsOf(instanceId);
  expect(agents.map((agent) => (agent as { client_id?: string }).client_id).sort()).toEqual([
    'alpha',
    'beta',
  ]);
});

test('a keep-alive makes one too, for a machine on which nothing runs', async () => {
  const instanceId = newInstance();
  const keep = (token: string) =>
    running.send('POST', `/api/agent/instances/${instanceId}/keep-alive`, {
      authorization: `Bearer ${token}`,
    });
  const reply = await keep(running.alpha.user);
  expect(reply.body).toEqual({
    success: true,
    message: 'Manual keep-alive registered',
    valid_for_minutes: 60,
  });
  const [agent] = await agentsOf(instanceId);
  expect(agent).toMatchObject({ logical_agent_id: instanceId });
  await until(
    'it is kept alive',
    async () => {
      const { body } = await running.call('GET', `/api/agents/${agent!.id}`, running.alpha.user);
      return body.keep_alive_until !== null;
    },
    10_000,
  );
});

describe('an agent that registered', () => {
  async function registered(): Promise<{ agentId: string; instanceId: string; token: string }> {
    const instanceId = `i-${randomUUID().slice(0, 8)}`;
    const body = registerBody(`logical-${instanceId}`, instanceId);
    const reply = await running.call('POST', '/api/agents/register', running.alpha.client, body);
    return { agentId: reply.body.agent_id as string, instanceId, token: reply.body.agent_token as string };
  }

  test('may speak either dialect, to the same lease', async () => {
    const { agentId, instanceId, token } = await registered();
    expect((await send(instanceId)).body).toMatchObject({ next_heartbeat_in_seconds: 30 });
    expect((await send(instanceId, {}, token)).status).toBe(200);
    const guide = await running.call('POST', `/api/agents/${agentId}/heartbeat`, token, {
      instance_id: instanceId,
      gpu_utilization: [2, 99],
    });
    expect(guide.body).toMatchObject({ role: 'primary', incarnation: 1 });
    expect(await running.lease(agentId, instanceId)).toMatchObject({
      heartbeats: '3',
      gpu_utilization_percent: 99,
      // The last said nothing of it.
      cost_accumulated: '2.4',
    });
  });

  test('hears of its hibernation with a live countdown for as long as it is idle, in both dialects', async () => {
    const { agentId, instanceId, token } = await registered();
    const idle = { gpu_utilization: 2 };
    await send(instanceId, idle);
    await running.sql.query(
      `update instance_standing set hibernation_due_at = now() + interval '120 seconds',
         hibernation_reason = 'the busiest GPU was under 5 % all the time' where agent_id = $1`,
      [agentId],
    );
    const { body } = await send(instanceId, idle);
    expect(body).toEqual({
      success: true,
      message: 'Low utilization detected',
      next_heartbeat_in_seconds: 30,
      actions: [
        {
          type: 'hibernate_warning',
          message: expect.stringMatching(
            /^The busiest GPU was under 5 % all the time\. Hibernating in \d+ (s|min)\.$/,
          ),
          countdown_seconds: expect.any(Number),
        },
      ],
    });
    const [first] = body.actions as [{ countdown_seconds: number }];
    expect(first.countdown_seconds).toBeGreaterThan(110);
    await running.sql.query(
      `update instance_standing set hibernation_due_at = now() - interval '3 seconds' where agent_id = $1`,
      [agentId],
    );
    const guide = await running.call('POST', `/api/agents/${agentId}/heartbeat`, token, idle);
    expect(guide.body).toMatchObject({
      message: 'Low utilization detected',
      actions: [{ type: 'hibernate_warning', countdown_seconds: 0 }],
    });
    expect((await send(instanceId, { gpu_utilization: 80 })).body).toMatchObject({
      message: 'Heartbeat received',
      actions: [],
    });
  });

  test('once deleted it hears so in both dialects, and nothing revives it', async () => {
    const { agentId, instanceId, token } = await registered();
    await send(instanceId);
    const deleted = await running.call('DELETE', `/api/agents/${agentId}`, running.alpha.user);
    expect(deleted.status).toBeLessThan(300);
    await until('its news are delivered', async () => (await running.outbox(agentId)).length === 0, 10_000);
    const heard = async () => {
      const lease = await running.lease(agentId, instanceId);
      // After a pause of its own the sweep may have given it another term, as it does with every lease.
      return { ...lease, lease_until: null, term: null };
    };
    const before = await heard();
    const heartbeat = (body: object, with_ = token) =>
      running.call('POST', `/api/agents/${agentId}/heartbeat`, with_, body);
    const replies = [
      await heartbeat({ instance_id: instanceId }),
      await heartbeat({}),
      await heartbeat({ status: 'offline' }),
      await heartbeat({ instance_id: 'i-another' }, running.alpha.client),
      await heartbeat({ status: 'online' }, running.alpha.client),
      await send(instanceId),
      await send(instanceId, {}, token),
      await running.call('POST', `/api/agent/instances/${instanceId}/keep-alive`, running.alpha.client),
    ];
    expect(replies.map((reply) => reply.status)).toEqual(Array(8).fill(410));
    expect(await heard()).toEqual(before);
    expect(await running.outbox(agentId)).toEqual([]);
    expect(await agentsOf(instanceId)).toMatchObject([{ status: 'deleted' }]);

    // Installed anew on the same machine it is a new agent, also to those who only know the instance.
    const body = registerBody(`logical-${instanceId}`, instanceId);
    const again = await running.call('POST', '/api/agents/register', running.alpha.client, body);
    expect(again.body.agent_id).not.toBe(agentId);
    expect((await send(instanceId)).status).toBe(200);
    expect(await running.lease(again.body.agent_id as string, instanceId)).toMatchObject({ heartbeats: '1' });
    expect((await heartbeat({ instance_id: instanceId }, running.alpha.client)).status).toBe(410);
  });

  test("an agent's token speaks for its own instance only", async () => {
    const { token } = await registered();
    const reply = await send(newInstance(), {}, token);
    expect([reply.status, reply.body.code]).toEqual([403, 'wrong_instance']);
  });
});

test('a deleted instance of the dialect stays deleted', async () => {
  const instanceId = newInstance();
  await send(instanceId);
  const [agent] = await agentsOf(instanceId);
  await running.call('DELETE', `/api/agents/${agent!.id}`, running.alpha.user);
  expect((await send(instanceId)).status).toBe(410);
  expect((await send(instanceId)).body.code).toBe('agent_deleted');
  expect(await agentsOf(instanceId)).toHaveLength(1);
});

test('what is absurd is unknown, and what names no machine is refused', async () => {
  const instanceId = newInstance();
  const absurd = { gpu_utilization: 1e9, vram_used_gb: -1, cost_accumulated: 'a lot', uptime_seconds: null };
  expect((await send(instanceId, absurd)).status).toBe(200);
  const { rows } = await running.sql.query(
    `select sample.* from heartbeat_samples sample join leases on leases.id = lease_id where instance_id = $1`,
    [instanceId],
  );
  expect(rows).toMatchObject([
    {
      gpu_utilization_percent: null,
      vram_used_gb: null,
      cost_accumulated: null,
      uptime_seconds: null,
      cpu_utilization_percent: 45,
    },
  ]);
  const call = (body: object, token = running.alpha.client) =>
    running.call('POST', '/api/agent/status', token, body);
  expect((await call(EXAMPLE)).status).toBe(422);
  expect((await call({ ...EXAMPLE, instance_id: '' })).status).toBe(422);
  expect((await call({ ...EXAMPLE, instance_id: 7 })).status).toBe(422);
  expect((await call({ ...EXAMPLE, instance_id: instanceId }, running.alpha.user)).status).toBe(403);
  expect((await call({ ...EXAMPLE, instance_id: instanceId }, 'skc_wrong-token')).status).toBe(401);
  const get = await running.call('GET', '/api/agent/status', running.alpha.client);
  expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST']);
});
