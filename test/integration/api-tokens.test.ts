/** Tokens that are remembered: a revoked one is refused all the same, whether its revocation was heard or not. */
import { randomUUID } from 'node:crypto';
import { NOWHERE, RunningApi } from '../harness/running-api';
import { until } from '../harness/until';

let running: RunningApi;
const agentId = randomUUID();

beforeAll(async () => {
  running = await RunningApi.start({ env: { TEMPORAL_ADDRESS: NOWHERE } });
  await running.bookAgent('alpha', agentId, [{ instanceId: 'i-1', role: 'primary', incarnation: 1 }]);
  await listening();
});

afterAll(() => running.stop());

const LISTENER = `application_name = 'spotkeeper-token-revocations' and datname = current_database()`;
const listening = () =>
  until(
    'revocations are listened to',
    async () =>
      (await running.sql.query(`select from pg_stat_activity where ${LISTENER} and state = 'idle'`)).rowCount,
    10_000,
  );

async function token(): Promise<{ id: string; token: string }> {
  const body = { kind: 'client', client_id: 'alpha' };
  const reply = await running.call('POST', '/api/tokens', running.alpha.admin, body);
  return reply.body as { id: string; token: string };
}

const beat = async (with_: string) =>
  (await running.call('POST', `/api/agents/${agentId}/heartbeat`, with_, { instance_id: 'i-1' })).status;

const read = async (with_: string, method = 'GET') =>
  (await running.call(method, `/api/agents/${agentId}`, with_)).status;

const refusedWithin = async (with_: string, milliseconds: number) => {
  const start = Date.now();
  while ((await beat(with_)) !== 401) expect(Date.now() - start).toBeLessThan(milliseconds);
};

test('a token that is revoked is refused in a moment', async () => {
  const { id, token: issued } = await token();
  expect(await beat(issued)).toBe(200);
  const revoked = await running.call('DELETE', `/api/tokens/${id}`, running.alpha.admin);
  expect(revoked.status).toBe(204);
  await refusedWithin(issued, 1_000);
});

test('so is one whose row is removed', async () => {
  const { id, token: issued } = await token();
  expect(await beat(issued)).toBe(200);
  await running.sql.query('delete from tokens where id = $1', [id]);
  await refusedWithin(issued, 1_000);
});

describe('one that reads', () => {
  test('is refused from the moment on in which its revocation is answered', async () => {
    for (let round = 0; round < 5; round += 1) {
      const { id, token: issued } = await token();
      expect(await read(issued)).toBe(200);
      await running.call('DELETE', `/api/tokens/${id}`, running.alpha.admin);
      expect(await read(issued)).toBe(401);
    }
  });

  test('is known from memory while revocations are heard, and looked up for whatever changes something', async () => {
    const { id, token: issued } = await token();
    expect(await read(issued)).toBe(200);
    await running.sql.query(`set session_replication_role = replica`);
    await running.sql.query('update tokens set revoked_at = now() where id = $1', [id]);
    await running.sql.query(`set session_replication_role = origin`);
    expect(await read(issued)).toBe(200);
    expect(await read(issued, 'DELETE')).toBe(401);
  });
});

test('one that is revoked while nobody listens is refused as well', async () => {
  const { id, token: issued } = await token();
  expect(await beat(issued)).toBe(200);
  // Nobody is told of this revocation, so the token is good for as long as it is remembered …
  await running.sql.query(`set session_replication_role = replica`);
  await running.sql.query('update tokens set revoked_at = now() where id = $1', [id]);
  await running.sql.query(`set session_replication_role = origin`);
  expect(await beat(issued)).toBe(200);
  // … which ends with the connection that would have told.
  await running.sql.query(`select pg_terminate_backend(pid) from pg_stat_activity where ${LISTENER}`);
  await refusedWithin(issued, 1_000);
  expect(await read(issued)).toBe(401);
  await listening();
  const { token: another } = await token();
  expect(await beat(another)).toBe(200);
});

test('a restarted API looks many tokens up together', async () => {
  const issued = await Promise.all(Array.from({ length: 15 }, () => token()));
  await running.api.restart();
  const statuses = await Promise.all(issued.map((one) => beat(one.token)));
  expect(new Set(statuses)).toEqual(new Set([200]));
});
