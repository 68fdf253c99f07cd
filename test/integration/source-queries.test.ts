/** The queries that the sources' runbooks tell people to run find their tables and columns here. */
import { Client } from 'pg';
import { markTerminationAttempt, writeInstance } from '../../db/instances';
import { connectDatabase } from '../../db/connect';
import { createTestDatabase, type TestDatabase } from '../harness/database';
import { instanceFacts } from '../harness/instance-facts';
import { seedClient } from '../harness/seed';

let database: TestDatabase;
let sql: Client;

beforeAll(async () => {
  database = await createTestDatabase();
  await seedClient(database.url, 'c1');
  sql = new Client({ connectionString: database.url });
  await sql.connect();
});
afterAll(async () => {
  await sql?.end();
  await database?.drop();
});

it.each([
  [
    `select instance_id, instance_status, termination_confirmed, terminated_at from replica_instances
     where agent_id = 'a1' order by terminated_at desc`,
  ],
  [
    `select id, instance_status, termination_attempted_at, termination_confirmed from instances
     where instance_status = 'zombie' order by updated_at desc`,
  ],
  [
    `select instance_id, instance_status, termination_attempted_at, termination_confirmed from instances
     where instance_status in ('zombie', 'terminated') order by updated_at desc`,
  ],
  [
    `select * from system_events where event_type in ('instance_terminated', 'instance_termination_failed')
     order by created_at desc limit 20`,
  ],
  [`select auto_terminate_enabled from agents where id = 'a1'`],
])('%s', async (query) => {
  await expect(sql.query(query)).resolves.toMatchObject({ rows: [] });
});

it('knows an instance by both names', async () => {
  const db = connectDatabase(database.url, 'spotkeeper_worker');
  try {
    const facts = instanceFacts('i-1');
    await writeInstance(db, 'c1', 'a1', {
      facts,
      status: 'zombie',
      incarnation: 1,
      launchId: null,
      registeredAt: null,
      zombieSince: '2026-03-01T12:00:00Z',
    });
    await markTerminationAttempt(db, 'c1', 'i-1');
  } finally {
    await db.destroy();
  }
  const { rows } = await sql.query('select id, instance_id, instance_status from instances');
  expect(rows).toEqual([{ id: 'i-1', instance_id: 'i-1', instance_status: 'terminating' }]);
});
