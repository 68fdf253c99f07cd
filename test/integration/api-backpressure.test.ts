/**
 * More than can be stored, and senders that are slow. The database is held up by a lock that the test holds, so that what
 * comes in waits for as long as the test wants.
 */
import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { Client } from 'pg';
import { NOWHERE, type Reply, RunningApi } from '../harness/running-api';
import { until } from '../harness/until';

const QUEUE = 30;
let running: RunningApi;
let lock: Client;
const alphas: string[] = [];
const betas: string[] = [];

beforeAll(async () => {
  running = await RunningApi.start({
    env: {
      TEMPORAL_ADDRESS: NOWHERE,
      HEARTBEAT_QUEUE: String(QUEUE),
      REQUEST_TIMEOUT_MS: '1000',
    },
  });
  lock = new Client({ connectionString: running.database.url });
  await lock.connect();
  for (let count = 0; count < 60; count += 1) {
    const agentId = randomUUID();
    (count < 55 ? alphas : betas).push(agentId);
    await running.bookAgent(count < 55 ? 'alpha' : 'beta', agentId, [
      { instanceId: 'i-1', role: 'primary', incarnation: 1 },
    ]);
  }
  // Each lease is there, and each token known, before anything is held up.
  for (const agentId of alphas) await beat(agentId);
  for (const agentId of betas) await beat(agentId, running.beta.client);
});

afterAll(async () => {
  await lock?.end();
  await running?.stop();
});

const beat = (agentId: string, token = running.alpha.client): Promise<Reply> =>
  running.call('POST', `/api/agents/${agentId}/heartbeat`, token, { instance_id: 'i-1' });

async function held(work: () => Promise<void>): Promise<void> {
  await lock.query('begin; lock table leases in exclusive mode');
  try {
    await work();
  } finally {
    await lock.query('commit');
  }
}

async function samples(): Promise<number> {
  const { rows } = await running.sql.query<{ n: number }>('select count(*)::int as n from heartbeat_samples');
  return rows[0]!.n;
}

const statuses = async (replies: Promise<Reply>[]) => (await Promise.all(replies)).map((one) => one.status);
const times = (list: number[], status: number) => list.filter((one) => one === status).length;

test('a flood is refused with Retry-After; others are taken, notices too; what was taken is stored', async () => {
  const before = await samples();
  const flood: Promise<Reply>[] = [];
  const others: Promise<Reply>[] = [];
  await held(async () => {
    // One batch is under way, with one beat; then the queue fills up.
    flood.push(beat(alphas[0]!));
    await until('it is under way', () => waiting(1), 20_000);
    const replies = alphas.slice(1).map((agentId) => beat(agentId));
    flood.push(...replies);
    const answered: number[] = [];
    for (const reply of replies) void reply.then(({ status }) => answered.push(status));
    const refused = await Promise.race(replies);
    expect([refused.status, refused.body.code]).toEqual([503, 'overloaded']);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);

    // There is room for who sends little, and the flood gives way.
    others.push(...betas.map((agentId) => beat(agentId, running.beta.client)));
    await until('the flood has given way', () => times(answered, 429) === betas.length, 20_000);

    // Nothing else is held up: it has connections of its own.
    const [agentId] = alphas as [string];
    const notice = { instance_id: 'i-1', action: 'terminate', time: '2026-01-01T00:02:00Z' };
    const path = `/api/agents/${agentId}`;
    expect(
      (await running.call('POST', `${path}/termination-imminent`, running.alpha.client, notice)).status,
    ).toBe(202);
    expect((await running.call('POST', `${path}/keep-alive`, running.alpha.client, {})).status).toBe(202);
    expect((await running.call('GET', path, running.alpha.user)).status).toBe(200);
  });
  const ofFlood = await statuses(flood);
  const ofOthers = await statuses(others);
  expect(ofOthers).toEqual(Array(betas.length).fill(200));
  expect({
    stored: times(ofFlood, 200),
    gaveWay: times(ofFlood, 429),
    refused: times(ofFlood, 503),
  }).toEqual({
    stored: 1 + QUEUE - betas.length,
    gaveWay: betas.length,
    refused: alphas.length - 1 - QUEUE,
  });
  expect((await samples()) - before).toBe(times(ofFlood, 200) + times(ofOthers, 200));
  expect(await statuses(alphas.map((agentId) => beat(agentId)))).toContain(200); // It is over by itself.
});

/** Statements of the intake that wait for the lock. */
async function waiting(count: number): Promise<boolean> {
  const { rows } = await running.sql.query<{ n: number }>(
    `select count(*)::int as n from pg_stat_activity
     where datname = current_database() and application_name = 'spotkeeper-ingest' and wait_event_type = 'Lock'`,
  );
  return rows[0]!.n >= count;
}

test('one instance that repeats itself is refused alone', async () => {
  await held(async () => {
    const [noisy, quiet] = alphas as [string, string];
    const noise = Array.from({ length: 25 }, () => beat(noisy));
    const refused = await Promise.race(noise);
    expect([refused.status, refused.body.code]).toEqual([429, 'too_many_heartbeats']);
    const other = beat(quiet);
    await lock.query('commit');
    expect((await other).status).toBe(200);
    const all = await statuses(noise);
    expect(times(all, 200)).toBeGreaterThanOrEqual(16);
    expect(times(all, 200) + times(all, 429)).toBe(25);
  });
});

test.each([
  ['in its headers', `POST /api/agents/x/heartbeat HTTP/1.1\r\nHost: x\r\nX-Slow`],
  [
    'in its body',
    `POST /api/agents/x/heartbeat HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"status":`,
  ],
])('a sender that stops %s is not waited for', async (_name, start) => {
  const { hostname, port } = new URL(running.url);
  const token = running.alpha.client;
  const text = start.replace('Host: x\r\n', `Host: x\r\nAuthorization: Bearer ${token}\r\n`);
  const answer = await new Promise<string>((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(text));
    let received = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => (received += chunk));
    socket.once('close', () => resolve(received));
    socket.once('error', reject);
  });
  expect(answer).toMatch(/^HTTP\/1\.1 408 /);
});
