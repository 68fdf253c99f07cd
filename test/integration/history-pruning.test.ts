/** What happened and was told is forgotten in its time, and no sooner. */
import { Client } from 'pg';
import { connectDatabase, type Db } from '../../db/connect';
import { HISTORY_LIMITS, pruneHistory } from '../../db/history-pruning';
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
beforeEach(() => sql.query('truncate system_events, notifications, notification_channels cascade'));

async function event(severity: string, daysAgo: number): Promise<string> {
  const { rows } = await sql.query<{ id: string }>(
    `insert into system_events (event_key, client_id, event_type, severity, message, created_at)
     values (gen_random_uuid()::text, 'c1', 'x', $1, $3, now() - make_interval(days => $2)) returning id`,
    [severity, daysAgo, `${severity} ${daysAgo}`],
  );
  return rows[0]!.id;
}

const left = async (table: string, column: string) =>
  (await sql.query<Record<string, unknown>>(`select ${column} as it from ${table} order by 1`)).rows.map(
    (row) => row['it'],
  );

it('keeps events for as long as their severity is worth', async () => {
  for (const severity of ['info', 'warning', 'critical']) {
    for (const daysAgo of [1, 89, 91, 364, 366]) await event(severity, daysAgo);
  }
  expect(await pruneHistory(db, HISTORY_LIMITS)).toEqual({ events: 5, deliveries: 0, notifications: 0 });
  expect(await left('system_events', 'message')).toEqual([
    ...['critical 1', 'critical 364', 'critical 89', 'critical 91'],
    ...['info 1', 'info 89'],
    ...['warning 1', 'warning 364', 'warning 89', 'warning 91'],
  ]);
  expect(await pruneHistory(db, { ...HISTORY_LIMITS, infoEvents: 30, alertEvents: 90 })).toMatchObject({
    events: 5,
  });
});

it('takes a bounded number of rows at a time, the oldest first', async () => {
  for (const daysAgo of [100, 101, 102, 103, 104]) await event('info', daysAgo);
  expect(await pruneHistory(db, HISTORY_LIMITS, 2)).toMatchObject({ events: 2 });
  expect(await left('system_events', 'message')).toEqual(['info 100', 'info 101', 'info 102']);
  expect(await pruneHistory(db, HISTORY_LIMITS, 2)).toMatchObject({ events: 2 });
  expect(await pruneHistory(db, HISTORY_LIMITS, 2)).toMatchObject({ events: 1 });
});

describe('messages', () => {
  async function message(name: string, { status = 'delivered', daysAgo = 31, open = false }): Promise<void> {
    const eventId = await event('warning', daysAgo);
    await sql.query(
      `with channel as (
         insert into notification_channels (client_id, kind, name, target, shown_target, minimum_severity, messages_per_hour)
         values ('c1', 'slack', $1, 'x', 'x', 'critical', 60) returning id
       ), notification as (
         insert into notifications (audience, group_key, severity, events, first_event_at, last_event_at, closed_at)
         values ('c1', $1, 'warning', 1, now(), now(), case when not $5 then now() - make_interval(days => $3) end)
         returning id
       ), member as (
         insert into notification_events (audience, event_id, notification_id) select 'c1', $4, id from notification
       ), delivery as (
         insert into notification_deliveries (id, audience, channel_id, kind, status, message, events, created_at, delivered_at)
         select gen_random_uuid(), 'c1', id, 'events', $2, jsonb_build_object('title', $1::text), 1,
           now() - make_interval(days => $3), case $2 when 'delivered' then now() end from channel returning id
       )
       insert into notification_tellings (channel_id, event_id, delivery_id)
       select channel.id, $4, delivery.id from channel, delivery`,
      [name, status, daysAgo, eventId, open],
    );
  }

  it('go once they were delivered or given up, with what they told of; the events stay', async () => {
    await message('delivered', {});
    await message('failed', { status: 'failed' });
    await message('young', { daysAgo: 29 });
    await message('waits', { status: 'pending' });
    await message('open', { open: true });
    expect(await pruneHistory(db, HISTORY_LIMITS)).toEqual({ events: 0, deliveries: 2, notifications: 3 });
    expect(await left('notification_deliveries', `message ->> 'title'`)).toEqual(['open', 'waits', 'young']);
    expect(await left('notifications', 'group_key')).toEqual(['open', 'young']);
    expect(await left('notification_tellings', '1')).toHaveLength(3);
    expect(await left('notification_events', '1')).toHaveLength(2);
    expect(await left('system_events', 'message')).toHaveLength(5);
  });

  it('whose event is forgotten are as they were', async () => {
    await message('old', { daysAgo: 400, status: 'pending' });
    expect(await pruneHistory(db, HISTORY_LIMITS)).toMatchObject({ events: 1, deliveries: 0 });
    expect(await left('notification_deliveries', 'status')).toEqual(['pending']);
  });
});

it('is never of what is younger than a day, whatever a worker asks for', async () => {
  for (const limits of [{ infoEvents: 0 }, { alertEvents: 0 }, { notifications: -1 }]) {
    await expect(pruneHistory(db, { ...HISTORY_LIMITS, ...limits })).rejects.toThrow('for a day at least');
  }
});
