/** What a replica's agent reports and what that makes of the replica, and who may say so. No workflow runs here. */
import { randomUUID } from 'node:crypto';
import { commitCutOver } from '../../db/agent-book';
import { connectDatabase, type Db } from '../../db/connect';
import { sweepSync } from '../../db/replicas';
import { instanceFacts as facts } from '../harness/instance-facts';
import { NOWHERE, RunningApi } from '../harness/running-api';

let running: RunningApi;
let worker: Db;

beforeAll(async () => {
  running = await RunningApi.start({ env: { TEMPORAL_ADDRESS: NOWHERE } });
  worker = connectDatabase(running.database.url, 'spotkeeper_worker');
});
afterAll(async () => {
  await worker?.destroy();
  await running?.stop();
});

interface Booked {
  agentId: string;
  replicaId: string;
  primary: string;
  instanceId: string;
}

async function booked(): Promise<Booked> {
  const agentId = randomUUID();
  const mark = agentId.slice(0, 8);
  const [primary, instanceId] = [`i-p-${mark}`, `i-r-${mark}`];
  await running.bookAgent('alpha', agentId, [
    { instanceId: primary, role: 'primary', incarnation: 3 },
    { instanceId, role: 'replica', incarnation: 4 },
  ]);
  const replicaId = `${agentId}-r1`;
  await running.sql.query(
    `insert into replica_instances (id, client_id, agent_id, instance_id, replica_type, instance_status)
     values ($1, 'alpha', $2, $3, 'manual', 'syncing')`,
    [replicaId, agentId, instanceId],
  );
  return { agentId, replicaId, primary, instanceId };
}

const SYNCED = { sync_status: 'synced', sync_latency_ms: 12, state_transfer_progress: 100 };

const report = ({ agentId, replicaId }: Booked, body: object, token = running.alpha.client) =>
  running.call('POST', `/api/agents/${agentId}/replicas/${replicaId}/sync-status`, token, body);

async function row({ replicaId }: Booked) {
  const { rows } = await running.sql.query('select * from replica_instances where id = $1', [replicaId]);
  return rows[0] as Record<string, unknown>;
}

async function news({ replicaId }: Booked): Promise<unknown[]> {
  const { rows } = await running.sql.query<{ payload: { ready: boolean; revision: number } }>(
    `select payload from outbox where workflow_id = $1 order by id`,
    [`replica:${replicaId}`],
  );
  return rows.map(({ payload }) => `${payload.revision} ${payload.ready}`);
}

const promote = ({ agentId, replicaId, primary, instanceId }: Booked, fromIncarnation = 3) =>
  commitCutOver(worker, {
    clientId: 'alpha',
    agentId,
    fromIncarnation,
    toIncarnation: fromIncarnation + 1,
    fromInstanceId: primary,
    to: facts(instanceId),
    decidedAt: new Date().toISOString(),
    replicaId,
  });

it('tells the workflow of each change, not of each report, and says whose state to copy', async () => {
  const replica = await booked();
  expect((await report(replica, { ...SYNCED, state_transfer_progress: 40 })).body).toMatchObject({
    status: 'syncing',
    role: 'replica',
    incarnation: 3,
    primary: { instance_id: replica.primary, incarnation: 3 },
  });
  for (let repeat = 0; repeat < 3; repeat += 1) await report(replica, SYNCED);
  expect(await news(replica)).toEqual(['1 true']);
  expect(await row(replica)).toMatchObject({ sync_status: 'synced', sync_latency_ms: 12, sync_ready: true });
  await report(replica, { sync_status: 'syncing', state_transfer_progress: 100 });
  expect(await news(replica)).toEqual(['1 true', '2 false']);
});

it.each([
  ['of an earlier incarnation', { ...SYNCED, source_incarnation: 2 }],
  ['at 99.9 %', { ...SYNCED, state_transfer_progress: 99.9 }],
  ['without progress', { sync_status: 'synced' }],
])('a report %s makes no replica ready', async (_name, body) => {
  const replica = await booked();
  expect((await report(replica, body)).status).toBe(200);
  expect(await row(replica)).toMatchObject({ sync_ready: false });
  expect(await promote(replica)).toMatchObject({ committed: false });
});

it('a replica is promoted while its last report is fresh, and not after', async () => {
  const replica = await booked();
  await report(replica, SYNCED);
  await running.sql.query(
    `update replica_instances set last_sync_at = now() - interval '11 seconds' where id = $1`,
    [replica.replicaId],
  );
  expect(await promote(replica)).toEqual({ committed: false, reason: 'its last report is older than 10 s' });
  expect(await sweepSync(worker)).toBeGreaterThanOrEqual(1);
  expect(await news(replica)).toEqual(['1 true', '2 false']);
  await report(replica, SYNCED);
  expect(await promote(replica)).toEqual({ committed: true, reason: 'committed' });
  expect(await promote(replica)).toEqual({ committed: true, reason: 'committed before' });
});

describe('a replica that waits for its call', () => {
  const standing = ({ agentId, replicaId }: Booked, query = '', token = running.alpha.client) =>
    running.call('GET', `/api/agents/${agentId}/replicas/${replicaId}/standing${query}`, token);

  it('is told at the commit of its promotion, not after its wait', async () => {
    const replica = await booked();
    await report(replica, SYNCED);
    const startMs = Date.now();
    const told = standing(replica, '?wait_seconds=50');
    await standing(replica); // By then the first is waiting.
    expect(await promote(replica)).toMatchObject({ committed: true });
    expect((await told).body).toMatchObject({ role: 'primary', status: 'promoted', incarnation: 4 });
    expect(Date.now() - startMs).toBeLessThan(20_000);
    expect((await standing(replica, '?wait_seconds=50')).body).toMatchObject({ role: 'primary' });
  });

  it('hears that nothing came of it after its wait, and at once that it is to stand down', async () => {
    const replica = await booked();
    expect((await standing(replica, '?wait_seconds=1')).body).toMatchObject({ role: 'replica' });
    expect((await standing(replica)).body).toMatchObject({ role: 'replica', status: 'syncing' });
    const told = standing(replica, '?wait_seconds=50');
    await running.sql.query(`update replica_instances set instance_status = 'terminating' where id = $1`, [
      replica.replicaId,
    ]);
    expect(await told).toMatchObject({ status: 409, body: { code: 'stand_down' } });
    expect((await standing(replica, '?wait_seconds=61')).status).toBe(400);
    expect((await standing(replica, '', running.beta.client)).status).toBe(404);
  });
});

it('a cut-over to another machine leaves no replica in sync', async () => {
  const replica = await booked();
  await report(replica, SYNCED);
  const { agentId, primary } = replica;
  const to = facts(`i-c-${agentId.slice(0, 8)}`);
  const cutOver = {
    clientId: 'alpha',
    agentId,
    fromIncarnation: 3,
    toIncarnation: 4,
    fromInstanceId: primary,
    to,
  };
  await commitCutOver(worker, { ...cutOver, decidedAt: new Date().toISOString() });
  expect(await promote(replica, 4)).toMatchObject({ committed: false });
  await report(replica, { ...SYNCED, source_incarnation: 3 });
  expect(await row(replica)).toMatchObject({ sync_ready: false });
  await report(replica, { ...SYNCED, source_incarnation: 4 });
  expect(await row(replica)).toMatchObject({ sync_ready: true });
});

it('a replica that has ended is told to stand down, one that was promoted that it is the primary', async () => {
  const [ended, promoted] = [await booked(), await booked()];
  const become = (replica: Booked, status: string) =>
    running.sql.query('update replica_instances set instance_status = $2 where id = $1', [
      replica.replicaId,
      status,
    ]);
  await become(ended, 'terminating');
  expect(await report(ended, SYNCED)).toMatchObject({ status: 409, body: { code: 'stand_down' } });
  await become(promoted, 'promoted');
  expect(await report(promoted, SYNCED)).toMatchObject({ status: 200, body: { role: 'primary' } });
});

it.each([
  ['progress above 100', { ...SYNCED, state_transfer_progress: 101 }],
  ['a negative latency', { ...SYNCED, sync_latency_ms: -1 }],
  ['no status', { state_transfer_progress: 100 }],
  ['text for a number', { ...SYNCED, state_transfer_progress: '100' }],
])('refuses %s and changes nothing', async (_name, body) => {
  const replica = await booked();
  const before = await running.contents();
  expect((await report(replica, body)).status).toBe(422);
  expect(await running.contents()).toBe(before);
});

it("refuses another client's, a person's and an unknown replica's report", async () => {
  const replica = await booked();
  const before = await running.contents();
  expect((await report(replica, SYNCED, running.beta.client)).status).toBe(404);
  expect((await report(replica, SYNCED, running.alpha.user)).status).toBe(403);
  expect((await report({ ...replica, replicaId: `${replica.agentId}-r9` }, SYNCED)).status).toBe(404);
  const mode = { mode: 'sometimes' };
  const put = await running.call(
    'PUT',
    `/api/agents/${replica.agentId}/replica-mode`,
    running.alpha.client,
    mode,
  );
  expect(put.status).toBe(422);
  expect(await running.contents()).toBe(before);
});

it('lists the replicas of an agent by status', async () => {
  const replica = await booked();
  const list = (query: string, token = running.alpha.user) =>
    running.call('GET', `/api/agents/${replica.agentId}/replicas${query}`, token);
  expect((await list('?status=syncing')).body).toMatchObject({
    replica_mode: 'none',
    replicas: [{ id: replica.replicaId, instance_id: replica.instanceId, status: 'syncing' }],
  });
  expect((await list('?status=launching')).body).toMatchObject({ replicas: [] });
  expect((await list('?status=asleep')).status).toBe(422);
  expect((await list('', running.beta.user)).status).toBe(404);
});
