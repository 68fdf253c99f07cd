/** Signals on their way: whoever dies between the commit and the delivery, they arrive, once, and in order. */
import { randomUUID } from 'node:crypto';
import { connectDatabase } from '../../db/connect';
import { addToOutbox, drainOutbox } from '../../db/outbox';
import type { StoredSignal } from '../../contracts/outbox';
import { NOWHERE, registerBody, RunningApi } from '../harness/running-api';
import { testServers } from '../harness/servers';
import { until } from '../harness/until';

let running: RunningApi;

beforeAll(async () => {
  running = await RunningApi.start({ worker: true });
});

afterAll(() => running.stop());

test('the API is killed between commit and delivery: the worker delivers', async () => {
  const { body } = await running.call(
    'POST',
    '/api/agents/register',
    running.alpha.client,
    registerBody('killed', 'i-killed'),
  );
  const agentId = body.agent_id as string;
  await running.worker!.stop();
  await running.api.restart({ env: { TEMPORAL_ADDRESS: NOWHERE } });
  const send = (path: string, request: object) =>
    running.call('POST', `/api/agents/${agentId}/${path}`, running.alpha.client, request);
  expect((await send('heartbeat', { instance_id: 'i-killed', health: 'unhealthy' })).status).toBe(200);
  expect((await send('keep-alive', { minutes: 5 })).status).toBe(202);
  expect((await send('heartbeat', { instance_id: 'i-killed', status: 'offline' })).status).toBe(200);
  await running.api.kill();
  expect((await running.outbox(agentId)).map((one) => one.signal)).toEqual([
    'heartbeat',
    'keepAlive',
    'goneOffline',
  ]);

  await running.worker!.restart();
  await running.api.restart({ env: { TEMPORAL_ADDRESS: testServers().temporalAddress } });
  const agent = await until(
    'all of it is heard',
    async () => {
      const reply = await running.call('GET', `/api/agents/${agentId}`, running.alpha.user);
      return reply.body.status === 'offline' && reply.body;
    },
    20_000,
  );
  expect(agent).toMatchObject({ health: 'unhealthy', keep_alive_until: expect.stringMatching(/Z$/) });
  expect(await running.outbox(agentId)).toEqual([]);
});

test('a signal to a workflow that is not there is given up and kept for people to see', async () => {
  const agentId = randomUUID();
  await running.bookAgent('alpha', agentId, [{ instanceId: 'i-1', role: 'primary', incarnation: 1 }]);
  await running.call('POST', `/api/agents/${agentId}/heartbeat`, running.alpha.client, {
    instance_id: 'i-1',
  });
  await until(
    'it is marked',
    async () => {
      const { rows } = await running.sql.query<{ undeliverable: boolean; last_error: string }>(
        'select undeliverable, last_error from outbox where workflow_id = $1',
        [`agent:${agentId}`],
      );
      return rows[0]?.undeliverable && /not found/.test(rows[0].last_error);
    },
    10_000,
  );
});

test('two deliverers keep the order of each workflow, also over failures', async () => {
  const db = connectDatabase(running.database.url, 'spotkeeper_ingest', 8);
  try {
    const workflows = Array.from({ length: 5 }, (_, number) => `test:${number}`);
    for (let number = 0; number < 10; number += 1) {
      await addToOutbox(
        db,
        workflows.map((workflowId) => ({
          clientId: 'alpha',
          workflowId,
          signal: 'test',
          payload: { number },
        })),
      );
    }
    const heard = new Map<string, number[]>();
    let attempts = 0;
    const send = async ({ workflowId, payload }: StoredSignal) => {
      attempts += 1;
      const failing = attempts % 4 === 0;
      await new Promise((resolve) => setTimeout(resolve, attempts % 3));
      if (failing) return { result: 'failed' as const, reason: 'of the test' };
      heard.set(workflowId, [...(heard.get(workflowId) ?? []), payload.number as number]);
      return { result: 'delivered' as const };
    };
    const waiting = async () =>
      (await running.sql.query(`select from outbox where workflow_id like 'test:%'`)).rowCount ?? 0;
    while ((await waiting()) > 0) {
      await Promise.all([
        drainOutbox(db, send),
        drainOutbox(db, send),
        ...workflows.map((workflowId) => drainOutbox(db, send, { workflowIds: [workflowId] })),
      ]);
    }
    const inOrder = Array.from({ length: 10 }, (_, number) => number);
    expect(Object.fromEntries(heard)).toEqual(Object.fromEntries(workflows.map((id) => [id, inOrder])));
    expect(attempts).toBeGreaterThan(50);
  } finally {
    await db.destroy();
  }
});
