/** What stands in a launch's intent: a repeat sends the same, and a late report takes nothing back. */
import type { LaunchRequest } from '../../contracts/activities';
import { connectDatabase, type Db } from '../../db/connect';
import { settleLaunchIntent, writeLaunchIntent } from '../../db/launch-intents';
import { createTestDatabase, type TestDatabase } from '../harness/database';
import { seedClient } from '../harness/seed';

let database: TestDatabase;
let db: Db;

beforeAll(async () => {
  database = await createTestDatabase();
  await seedClient(database.url, 'c1');
  db = connectDatabase(database.url, 'spotkeeper_worker');
});
afterAll(async () => {
  await db?.destroy();
  await database?.drop();
});

function request(launchId: string, attempt: number): LaunchRequest {
  return {
    clientId: 'c1',
    agentId: 'a1',
    logicalAgentId: 'web-1',
    accountId: '000000000000',
    region: 'us-east-1',
    switchNumber: 1,
    attempt,
    toIncarnation: 2,
    launchId,
    pool: { instanceType: 'p3.2xlarge', zone: 'us-east-1b', option: 'spot' },
    imageId: 'ami-1',
  };
}

it('gives a repeat what the first attempt sent, though its worker knows better by now', async () => {
  const first = { clientToken: 't1', userData: 'to the old address' };
  const stands = { ...first, imageId: 'ami-1' };
  expect(await writeLaunchIntent(db, request('l1', 1), first)).toEqual({ ...stands, repeated: false });
  const repeat = { clientToken: 't1', userData: 'to the new address' };
  expect(await writeLaunchIntent(db, { ...request('l1', 1), imageId: 'ami-2' }, repeat)).toEqual({
    ...stands,
    repeated: true,
  });
});

it('stays launched, whatever an attempt that was thought dead reports after it', async () => {
  await writeLaunchIntent(db, request('l2', 2), { clientToken: 't2', userData: '' });
  await settleLaunchIntent(db, 'l2', { outcome: 'launched', instanceId: 'i-2' });
  await settleLaunchIntent(db, 'l2', { outcome: 'no_capacity', error: 'late' });
  const row = await db
    .selectFrom('launch_intents')
    .selectAll()
    .where('launch_id', '=', 'l2')
    .executeTakeFirstOrThrow();
  expect(row).toMatchObject({ outcome: 'launched', instance_id: 'i-2', error: null });
});
