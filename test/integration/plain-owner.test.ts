/** A schema whose owner is no superuser, as in most hosted databases: row security binds it, and its triggers too. */
import { connectDatabase, inScope } from '../../db/connect';
import { HISTORY_LIMITS, pruneHistory } from '../../db/history-pruning';
import { migrateToLatest } from '../../db/migrate';
import { setStopSwitch } from '../../db/stop-switches';
import { onServer } from '../harness/database';
import { testServers } from '../harness/servers';
import { testFile } from '../harness/test-file';

const name = `owner_${testFile().mark}`;

beforeAll(() =>
  onServer(async (client) => {
    await client.query(`create role ${name} login createrole password 'owner'`);
    await client.query(
      `grant spotkeeper_ingest, spotkeeper_api, spotkeeper_worker, spotkeeper_metrics to ${name}`,
    );
    await client.query(`create database ${name} owner ${name}`);
  }),
);
afterAll(() =>
  onServer(async (client) => {
    await client.query(`drop database if exists ${name} with (force)`);
    await client.query(`drop role if exists ${name}`);
  }),
);

it('queues an event of the API for a channel that the API does not see', async () => {
  const address = new URL(testServers().postgresUrl);
  Object.assign(address, { username: name, password: 'owner', pathname: `/${name}` });
  await migrateToLatest(address.href);
  const db = connectDatabase(address.href, 'spotkeeper_api', 1);
  const worker = connectDatabase(address.href, 'spotkeeper_worker', 1);
  try {
    await inScope(db, { admin: true }, (transaction) =>
      transaction.insertInto('clients').values({ id: 'c1', name: 'c1' }).execute(),
    );
    await inScope(db, { admin: true }, (transaction) =>
      transaction
        .insertInto('notification_channels')
        .values({
          client_id: null,
          kind: 'slack',
          name: 'ops',
          target: 'x',
          shown_target: 'x',
          minimum_severity: 'warning',
          messages_per_hour: 60,
        })
        .execute(),
    );
    const wanted = { clientId: 'c1', reason: 'look', setBy: 'ann' };
    await inScope(db, { clientId: 'c1' }, (transaction) => setStopSwitch(transaction, wanted));
    const queue = await worker.selectFrom('notification_queue').select('audience').execute();
    expect(queue).toEqual([{ audience: '*' }]);
    // And what is old is forgotten by functions that its owner lends.
    await worker
      .insertInto('system_events')
      .values({
        event_key: 'old',
        client_id: 'c1',
        event_type: 'x',
        severity: 'warning',
        message: 'x',
        created_at: new Date(0),
      })
      .execute();
    expect(await pruneHistory(worker, HISTORY_LIMITS)).toMatchObject({ events: 1 });
  } finally {
    await db.destroy();
    await worker.destroy();
  }
});
