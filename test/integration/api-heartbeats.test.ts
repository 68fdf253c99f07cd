/**
 * Heartbeats as the intake stores them. Temporal is away throughout, so what workflows should hear stays in the outbox,
 * and every answer shows that it doesn't take Temporal.
 */
import { randomUUID } from 'node:crypto';
import { NOWHERE, RunningApi } from '../harness/running-api';

let running: RunningApi;

beforeAll(async () => {
  running = await RunningApi.start({ env: { TEMPORAL_ADDRESS: NOWHERE } });
});

afterAll(() => running.stop());

async function agent(intervalSeconds = 30): Promise<string> {
  const agentId = randomUUID();
  await running.bookAgent(
    'alpha',
    agentId,
    [
      { instanceId: 'i-old', role: 'superseded', incarnation: 1 },
      { instanceId: 'i-now', role: 'primary', incarnation: 2 },
      { instanceId: 'i-next', role: 'candidate', incarnation: 3 },
    ],
    intervalSeconds,
  );
  return agentId;
}

const beat = (agentId: string, body: object) =>
  running.call('POST', `/api/agents/${agentId}/heartbeat`, running.alpha.client, body);

const samples = async (agentId: string) =>
  (
    await running.sql.query(
      `select instance_id, sample.* from heartbeat_samples sample join leases on leases.id = lease_id
       where agent_id = $1 order by received_at`,
      [agentId],
    )
  ).rows as Record<string, unknown>[];

const seconds = (agentId: string, instanceId: string) =>
  running.sql
    .query<{ term: number }>(
      `select extract(epoch from lease_until - last_heartbeat_at)::float8 as term from leases
       where agent_id = $1 and instance_id = $2`,
      [agentId, instanceId],
    )
    .then(({ rows }) => rows[0]!.term);

test('the reply says the interval, the part and the incarnation; the lease lasts three intervals', async () => {
  const agentId = await agent();
  const reply = await beat(agentId, {
    status: 'online',
    instance_id: 'i-now',
    instance_type: 'p3.2xlarge',
    mode: 'spot',
    az: 'us-east-1a',
  });
  expect(reply.status).toBe(200);
  expect(reply.body).toEqual({
    success: true,
    message: 'Heartbeat received',
    next_heartbeat_in_seconds: 30,
    incarnation: 2,
    role: 'primary',
    config_revision: 1,
    actions: [],
  });
  expect(await seconds(agentId, 'i-now')).toBe(90);
  expect(await running.lease(agentId, 'i-now')).toMatchObject({
    state: 'live',
    health: 'healthy',
    mode: 'spot',
    az: 'us-east-1a',
    heartbeats: '1',
    revision: '1',
  });
  expect(await samples(agentId)).toMatchObject([
    { instance_id: 'i-now', online: true, healthy: true, gpu_utilization_percent: null, idle: null },
  ]);
});

test('only news waits for the workflow, with the revision of its lease', async () => {
  const agentId = await agent();
  const place = { instance_id: 'i-now', mode: 'spot', az: 'us-east-1a' };
  await beat(agentId, place); // the first
  await beat(agentId, place);
  await beat(agentId, { instance_id: 'i-now' }); // unknown is no change
  await beat(agentId, { ...place, health: 'unhealthy' });
  await beat(agentId, { ...place, health: 'unhealthy' });
  await beat(agentId, { ...place, mode: 'ondemand', health: 'unhealthy' });
  await running.sql.query(`update leases set state = 'silent', revision = revision + 1 where agent_id = $1`, [
    agentId,
  ]);
  await beat(agentId, { ...place, mode: 'ondemand', health: 'unhealthy' }); // heard again
  const news = await running.outbox(agentId);
  expect(news.map(({ signal, payload }) => [signal, payload.revision, payload.health, payload.mode])).toEqual(
    [
      ['heartbeat', 1, 'healthy', 'spot'],
      ['heartbeat', 4, 'unhealthy', 'spot'],
      ['heartbeat', 6, 'unhealthy', 'ondemand'],
      ['heartbeat', 8, 'unhealthy', 'ondemand'],
    ],
  );
  expect(news[0]!.payload).toEqual({
    instanceId: 'i-now',
    revision: 1,
    health: 'healthy',
    mode: 'spot',
    zone: 'us-east-1a',
    gpuUtilizationPercent: null,
    idleSince: null,
    receivedAt: expect.stringMatching(/Z$/),
  });
  expect(await samples(agentId)).toHaveLength(7);
});

test('a candidate is asked for soon, and its first beat is news', async () => {
  const agentId = await agent();
  const reply = await beat(agentId, { instance_id: 'i-next' });
  expect(reply.body).toMatchObject({ role: 'candidate', incarnation: 3, next_heartbeat_in_seconds: 5 });
  expect(await running.outbox(agentId)).toMatchObject([
    { signal: 'heartbeat', payload: { instanceId: 'i-next' } },
  ]);
});

test('a superseded instance hears only that it should stand down, and drives nothing', async () => {
  const agentId = await agent();
  const reply = await beat(agentId, { instance_id: 'i-old' });
  expect(reply.body).toMatchObject({
    role: 'superseded',
    actions: [{ type: 'stand_down', incarnation: 2, message: expect.stringContaining('2') }],
  });
  expect((await beat(agentId, { instance_id: 'i-old', status: 'offline' })).status).toBe(200);
  expect(await running.outbox(agentId)).toEqual([]);
  expect(await samples(agentId)).toHaveLength(2);
});

test('a goodbye ends the lease at once and is told once; the next beat is news again', async () => {
  const agentId = await agent();
  await beat(agentId, { instance_id: 'i-now' });
  await beat(agentId, { instance_id: 'i-now', status: 'offline' });
  await beat(agentId, { instance_id: 'i-now', status: 'offline' });
  expect(await running.lease(agentId, 'i-now')).toMatchObject({ state: 'offline', revision: '3' });
  expect(await seconds(agentId, 'i-now')).toBe(0);
  await beat(agentId, { instance_id: 'i-now', status: 'running' });
  expect((await running.outbox(agentId)).map(({ signal, payload }) => [signal, payload.instanceId])).toEqual([
    ['heartbeat', 'i-now'],
    ['goneOffline', 'i-now'],
    ['heartbeat', 'i-now'],
  ]);
});

test('a goodbye that names no instance is recorded but ends no lease once there was a second instance', async () => {
  const agentId = await agent();
  await beat(agentId, { instance_id: 'i-now' });
  expect((await beat(agentId, { status: 'offline' })).status).toBe(200);
  expect(await running.lease(agentId, 'i-now')).toMatchObject({ state: 'live', revision: '1' });
  expect((await running.outbox(agentId)).at(-1)).toMatchObject({
    signal: 'goneOffline',
    payload: { instanceId: null },
  });

  const young = randomUUID();
  await running.bookAgent('alpha', young, [{ instanceId: 'i-1', role: 'primary', incarnation: 1 }]);
  await beat(young, { status: 'offline' });
  expect(await running.lease(young, 'i-1')).toMatchObject({ state: 'offline' });
});

test('an instance without a standing is told to register again, if its agent is known', async () => {
  const agentId = await agent();
  const reply = await beat(agentId, { instance_id: 'i-unknown' });
  expect([reply.status, reply.body.code]).toEqual([409, 'register_again']);
  expect((await beat(randomUUID(), { instance_id: 'i-now' })).status).toBe(404);
  expect(await samples(agentId)).toEqual([]);
});

test('many at once share transactions, each instance in its order', async () => {
  const agents = await Promise.all(Array.from({ length: 20 }, () => agent()));
  const before = await transactions();
  const zones = Array.from({ length: 10 }, (_, number) => `us-east-1${'abcdefghij'[number]}`);
  const replies = await Promise.all(
    zones.flatMap((az) => agents.map((agentId) => beat(agentId, { instance_id: 'i-now', az }))),
  );
  expect(new Set(replies.map((reply) => reply.status))).toEqual(new Set([200]));
  for (const agentId of agents) {
    expect(await running.lease(agentId, 'i-now')).toMatchObject({ heartbeats: '10', revision: '10' });
    const news = await running.outbox(agentId);
    expect(news.map(({ payload }) => payload.revision)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  }
  expect((await transactions()) - before).toBeLessThan(100); // for 200 heartbeats
});

/** Distinct moments of storage: all of a transaction have the same. */
async function transactions(): Promise<number> {
  const { rows } = await running.sql.query<{ n: number }>(
    'select count(distinct received_at)::int as n from heartbeat_samples',
  );
  return rows[0]!.n;
}

test("an agent's token speaks for its own instance of its own agent only", async () => {
  const agentId = await agent();
  const { rows } = await running.sql.query<{ token: string }>(
    `insert into tokens (token_hash, kind, client_id, agent_id, instance_id, incarnation)
     values (sha256('ski_0123456789abcdef'), 'agent', 'alpha', $1, 'i-now', 2) returning 'ski_0123456789abcdef' as token`,
    [agentId],
  );
  const { token } = rows[0]!;
  const send = (path: string, body: object) => running.call('POST', `/api/agents/${path}`, token, body);
  expect((await send(`${agentId}/heartbeat`, {})).body).toMatchObject({ role: 'primary' }); // its own, unnamed
  const other = await send(`${agentId}/heartbeat`, { instance_id: 'i-next' });
  expect([other.status, other.body.code]).toEqual([403, 'wrong_instance']);
  const elsewhere = await send(`${randomUUID()}/heartbeat`, {});
  expect([elsewhere.status, elsewhere.body.code]).toEqual([403, 'wrong_agent']);
  const notice = { instance_id: 'i-next', time: '2026-01-01T00:00:00Z' };
  expect((await send(`${agentId}/termination-imminent`, notice)).body.code).toBe('wrong_instance');
  expect((await send(`${agentId}/switch`, {})).status).toBe(403);
  expect((await send(`${agentId}/keep-alive`, {})).status).toBe(403);
  expect((await send('register', {})).status).toBe(403);

  await running.sql.query(`update tokens set revoked_at = now() where agent_id = $1`, [agentId]);
  const deadline = Date.now() + 10_000;
  while ((await send(`${agentId}/heartbeat`, {})).status !== 401) expect(Date.now()).toBeLessThan(deadline);
});

test('a notice is durable before Temporal has it', async () => {
  const agentId = await agent();
  const body = { instance_id: 'i-now', action: 'terminate', time: '2026-01-01T00:02:00' };
  const reply = await running.call(
    'POST',
    `/api/agents/${agentId}/termination-imminent`,
    running.alpha.client,
    body,
  );
  expect(reply.status).toBe(202);
  expect(await running.outbox(agentId)).toMatchObject([
    { signal: 'terminationNotice', payload: { instanceId: 'i-now', actionAt: '2026-01-01T00:02:00.000Z' } },
  ]);
});

test('while the database is away heartbeats are to be sent again, and nothing acknowledged is lost', async () => {
  const agentId = await agent();
  await beat(agentId, { instance_id: 'i-now' });
  const name = running.database.name;
  const admin = new URL(running.database.url);
  admin.pathname = '/postgres';
  const { Client } = await import('pg');
  const postgres = new Client({ connectionString: admin.href });
  await postgres.connect();
  try {
    await running.sql.end();
    await postgres.query(`alter database ${name} allow_connections false`);
    await postgres.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [name]);
    const reply = await beat(agentId, { instance_id: 'i-now' });
    expect([reply.status, reply.body.code]).toEqual([503, 'database_unavailable']);
    expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await running.call('GET', '/health', running.alpha.client)).status).toBe(200);
    expect((await running.call('GET', '/ready', running.alpha.client)).status).toBe(503);
  } finally {
    await postgres.query(`alter database ${name} allow_connections true`);
    await postgres.end();
  }
  expect((await beat(agentId, { instance_id: 'i-now' })).status).toBe(200);
});
