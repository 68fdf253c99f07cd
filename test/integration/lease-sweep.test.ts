/** Leases that ran out become news once; after a pause of our own they are extended instead. */
import { Client } from 'pg';
import { connectDatabase, type Db } from '../../db/connect';
import { signIntake, sweepLeases } from '../../db/lease-sweep';
import { createTestDatabase, type TestDatabase } from '../harness/database';
import { seedClient } from '../harness/seed';

let database: TestDatabase;
let db: Db;
let sql: Client;

beforeAll(async () => {
  database = await createTestDatabase();
  await seedClient(database.url, 'c1');
  db = connectDatabase(database.url, 'spotkeeper_worker');
  sql = new Client({ connectionString: database.url });
  await sql.connect();
});
afterAll(async () => {
  await sql?.end();
  await db?.destroy();
  await database?.drop();
});
beforeEach(async () => {
  await sql.query('truncate leases, instance_standing, outbox, sweep_runs, system_events cascade');
  await signIntake(db);
});

async function lease(agentId: string, secondsLeft: number, role = 'primary', state = 'live'): Promise<void> {
  await sql.query(
    `insert into instance_standing (agent_id, instance_id, client_id, role, incarnation, current_incarnation,
       heartbeat_interval_seconds, revision) values ($1, 'i-' || $1, 'c1', $2, 1, 1, 30, 1)`,
    [agentId, role],
  );
  await sql.query(
    `insert into leases (agent_id, instance_id, client_id, revision, state, health, heartbeats, first_heartbeat_at,
       last_heartbeat_at, lease_until) values ($1, 'i-' || $1, 'c1', 7, $3, 'healthy', 1, now() - interval '1 hour',
       now() - interval '90 seconds', now() + make_interval(secs => $2))`,
    [agentId, secondsLeft, state],
  );
}

/** As if a sweep had just been. */
const sweptLately = () => sql.query(`insert into sweep_runs values ('leases', now())`);

it('puts a lease that ran out into the outbox once, with a revision that rises', async () => {
  await sweptLately();
  await lease('over', -1);
  await lease('running', 60);
  expect(await sweepLeases(db, 15)).toEqual({ swept: true, extended: 0, lost: 1 });
  expect(await sweepLeases(db, 15)).toEqual({ swept: true, extended: 0, lost: 0 });
  const { rows } = await sql.query('select workflow_id, signal, payload from outbox');
  expect(rows).toEqual([
    {
      workflow_id: 'agent:over',
      signal: 'heartbeatLost',
      payload: { instanceId: 'i-over', revision: 8, lastHeartbeatAt: expect.stringMatching(/^\d{4}-.*Z$/) },
    },
  ]);
});

it.each([
  ['a superseded instance', 'superseded', 'live'],
  ['a candidate', 'candidate', 'live'],
  ['an agent that said goodbye', 'primary', 'offline'],
])('leaves the lease of %s alone', async (_, role, state) => {
  await sweptLately();
  await lease('left', -1, role, state);
  expect(await sweepLeases(db, 15)).toMatchObject({ lost: 0 });
});

it('extends every lease once after a pause, by a whole lease, and ends those that stay silent', async () => {
  await sql.query(`insert into sweep_runs values ('leases', now() - interval '1 minute')`);
  await lease('paused', -50);
  expect(await sweepLeases(db, 15)).toEqual({ swept: true, extended: 1, lost: 0 });
  const { rows } = await sql.query(`select extract(epoch from lease_until - now())::int as left from leases`);
  expect(rows[0].left).toBeGreaterThanOrEqual(88);
  await sql.query(`update leases set lease_until = now() - interval '1 second'`);
  expect(await sweepLeases(db, 15)).toEqual({ swept: true, extended: 0, lost: 1 });
});

it('treats the very first sweep as one after a pause', async () => {
  await lease('first', -1);
  expect(await sweepLeases(db, 15)).toMatchObject({ extended: 1, lost: 0 });
});

it('leaves the sweep to the worker that has the lock', async () => {
  await sweptLately();
  await lease('locked', -1);
  await sql.query('begin; select pg_advisory_xact_lock(7351001)');
  expect(await sweepLeases(db, 15)).toEqual({ swept: false, extended: 0, lost: 0 });
  await sql.query('commit');
  expect(await sweepLeases(db, 15)).toMatchObject({ lost: 1 });
});
