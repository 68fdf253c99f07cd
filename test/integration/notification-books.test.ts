/** From an event to a message in the books: nothing lost, nothing told twice, nothing told to another client. */
import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { createNotificationActivities } from '../../activities/notifications/notification-activities';
import type { NotificationActivities, NotificationMessage } from '../../contracts/notifications';
import { connectDatabase, type Db } from '../../db/connect';
import { announceWaitingEvents } from '../../db/notification-relay';
import { createTestDatabase, type TestDatabase } from '../harness/database';

let database: TestDatabase;
let sql: Client;
let db: Db;
let activities: NotificationActivities;

beforeAll(async () => {
  database = await createTestDatabase();
  sql = new Client({ connectionString: database.url });
  await sql.connect();
  db = connectDatabase(database.url, 'spotkeeper_worker');
  activities = createNotificationActivities({
    db,
    webhooks: { rules: { allowedNetworks: [], slackHosts: [] }, timeoutMs: 1_000 },
    smtp: null,
    places: { apiUrl: null, dashboardUrl: null, temporalUiUrl: null, temporalNamespace: 'default' },
    attempted: () => undefined,
  });
});
afterAll(async () => {
  await db.destroy();
  await sql.end();
  await database.drop();
});

let count = 0;

async function client(): Promise<string> {
  const id = `client-${++count}`;
  await sql.query('insert into clients (id, name) values ($1, $1)', [id]);
  return id;
}

async function channel(
  clientId: string | null,
  { severity = 'warning', types = [] as string[] } = {},
): Promise<string> {
  const { rows } = await sql.query<{ id: string }>(
    `insert into notification_channels (client_id, kind, name, target, shown_target, minimum_severity, event_types,
       messages_per_hour) values ($1, 'email', 'ops', 'a@b.c', 'a@b.c', $2, $3, 30) returning id`,
    [clientId, severity, types],
  );
  return rows[0]!.id;
}

/** @returns its id. */
async function event(
  clientId: string,
  changes: { type?: string; severity?: string; agentId?: string; details?: object; message?: string } = {},
): Promise<string> {
  const { rows } = await sql.query<{ id: string }>(
    `insert into system_events (event_key, client_id, agent_id, event_type, severity, message, details)
     values ($1, $2, $3, $4, $5, $6, $7) returning id`,
    [
      randomUUID(),
      clientId,
      changes.agentId ?? null,
      changes.type ?? 'agent_orphaned',
      changes.severity ?? 'warning',
      changes.message ?? 'An agent is orphaned.',
      changes.details ?? { zone: 'us-east-1a', region: 'us-east-1' },
    ],
  );
  return rows[0]!.id;
}

const gather = (audience: string) => activities.gatherEvents({ audience });

/** Prepares a message of all open groups, and returns the ids of the events that it tells. */
async function tell(audience: string, channelId: string, deliveryId = randomUUID()): Promise<string[]> {
  const { groups } = await gather(audience);
  const notificationIds = groups.map((group) => group.notificationId);
  await activities.prepareDelivery({ audience, channelId, deliveryId, notificationIds });
  return told(deliveryId);
}

async function told(deliveryId: string): Promise<string[]> {
  const { rows } = await sql.query<{ event_id: string }>(
    'select event_id from notification_tellings where delivery_id = $1 order by event_id',
    [deliveryId],
  );
  return rows.map((row) => row.event_id);
}

async function messageOf(deliveryId: string): Promise<NotificationMessage> {
  const { rows } = await sql.query<{ message: NotificationMessage }>(
    'select message from notification_deliveries where id = $1',
    [deliveryId],
  );
  return rows[0]!.message;
}

async function queued(audience: string): Promise<number> {
  const { rows } = await sql.query('select from notification_queue where audience = $1', [audience]);
  return rows.length;
}

it('queues an event for those who want to hear of it, in its own transaction', async () => {
  const clientId = await client();
  await event(clientId);
  expect(await queued(clientId)).toBe(0); // Nobody listens.
  await channel(clientId, { types: ['agent_hibernated'] });
  await event(clientId, { severity: 'info' });
  expect(await queued(clientId)).toBe(0);
  await event(clientId, { severity: 'info', type: 'agent_hibernated' });
  await event(clientId, { severity: 'critical' });
  expect(await queued(clientId)).toBe(2);
  await sql.query('begin');
  await event(clientId);
  await sql.query('rollback');
  expect(await queued(clientId)).toBe(2);
});

it('makes one message of a hundred agents of a zone, with each told once', async () => {
  const clientId = await client();
  const channelId = await channel(clientId);
  const events: string[] = [];
  for (let at = 0; at < 100; at++) events.push(await event(clientId, { agentId: `${clientId}-${at}` }));
  const { groups, channels, more } = await gather(clientId);
  expect(groups).toMatchObject([{ events: 100, severity: 'warning', channelIds: [channelId] }]);
  expect({ channels, more }).toEqual({ channels: [{ channelId, messagesPerHour: 30 }], more: false });
  const deliveryId = randomUUID();
  expect(await tell(clientId, channelId, deliveryId)).toEqual(events);
  expect(await messageOf(deliveryId)).toMatchObject({
    title: '100 agents are orphaned: they have been silent for too long in us-east-1a',
    groups: [{ events: 100, moreSubjects: 95, update: false }],
  });
  // A later one is an update, and tells only what is new.
  const later = await event(clientId, { agentId: `${clientId}-late` });
  const second = randomUUID();
  expect(await tell(clientId, channelId, second)).toEqual([later]);
  expect((await messageOf(second)).groups).toMatchObject([{ update: true, events: 1, eventsInAll: 101 }]);
  expect(await tell(clientId, channelId)).toEqual([]);
});

it('says the same to a repeated question, and prepares a repeated message once', async () => {
  const clientId = await client();
  const channelId = await channel(clientId);
  const first = await event(clientId);
  const [before, again] = [await gather(clientId), await gather(clientId)];
  expect(again).toEqual(before);
  const request = {
    audience: clientId,
    channelId,
    deliveryId: randomUUID(),
    notificationIds: before.groups.map((group) => group.notificationId),
  };
  const answers = await Promise.allSettled([
    activities.prepareDelivery(request),
    activities.prepareDelivery(request),
  ]);
  // Whichever came second may have to ask again, as Temporal does.
  expect(answers.some((answer) => answer.status === 'fulfilled')).toBe(true);
  expect(await activities.prepareDelivery(request)).toMatchObject({ prepared: true });
  expect(await told(request.deliveryId)).toEqual([first]);
});

it('loses nothing that commits late', async () => {
  const clientId = await client();
  const channelId = await channel(clientId);
  const slow = new Client({ connectionString: database.url });
  await slow.connect();
  await slow.query('begin');
  const { rows } = await slow.query<{ id: string }>(
    `insert into system_events (event_key, client_id, event_type, severity, message)
     values ('late-' || $1, $1, 'agent_orphaned', 'warning', 'late') returning id`,
    [clientId],
  );
  const quick = await event(clientId);
  expect(await tell(clientId, channelId)).toEqual([quick]);
  await slow.query('commit');
  await slow.end();
  expect(Number(rows[0]!.id)).toBeLessThan(Number(quick));
  expect(await tell(clientId, channelId)).toEqual([rows[0]!.id]);
});

it('tells a channel nothing of another client, whatever is asked', async () => {
  const [alpha, beta] = [await client(), await client()];
  const [ofAlpha, ofBeta] = [await channel(alpha), await channel(beta)];
  await event(alpha);
  expect(await queued(beta)).toBe(0);
  const { groups } = await gather(alpha);
  const notificationIds = groups.map((group) => group.notificationId);
  for (const audience of [alpha, beta]) {
    const deliveryId = randomUUID();
    const asked = await activities.prepareDelivery({
      audience,
      channelId: ofBeta,
      deliveryId,
      notificationIds,
    });
    expect(asked.prepared).toBe(false);
    expect(await told(deliveryId)).toEqual([]);
  }
  // The books themselves refuse to connect the two.
  await expect(
    sql.query(
      `insert into notification_deliveries (id, audience, channel_id, kind, message, events)
       values (gen_random_uuid(), $1, $2, 'events', '{}', 1)`,
      [alpha, ofBeta],
    ),
  ).rejects.toThrow(/foreign key/);
  expect(await tell(alpha, ofAlpha)).toHaveLength(1);
});

it('tells the operators of all clients, and each client only of itself', async () => {
  const [alpha, beta] = [await client(), await client()];
  const [operators, ofAlpha] = [await channel(null), await channel(alpha)];
  try {
    const events = [await event(alpha), await event(beta)];
    const deliveryId = randomUUID();
    expect(await tell('*', operators, deliveryId)).toEqual(events);
    const message = await messageOf(deliveryId);
    expect(message.clientId).toBeNull();
    expect(message.groups).toHaveLength(1); // A zone that fails fails for all.
    expect(message.groups[0]!.subjects.map((subject) => subject.clientId)).toEqual([alpha, beta]);
    expect(await tell(alpha, ofAlpha)).toEqual([events[0]]);
  } finally {
    await sql.query('update notification_channels set enabled = false where client_id is null');
  }
});

it('tells nothing of the time before a channel, or while it was switched off', async () => {
  const clientId = await client();
  await channel(clientId);
  await event(clientId);
  const late = await channel(clientId);
  const heard = await event(clientId);
  expect(await tell(clientId, late)).toEqual([heard]);
  await sql.query('update notification_channels set enabled = false where id = $1', [late]);
  await event(clientId);
  expect(await tell(clientId, late)).toEqual([]);
  await sql.query('update notification_channels set enabled = true, told_from = now() where id = $1', [late]);
  const after = await event(clientId);
  expect(await tell(clientId, late)).toEqual([after]);
});

it('tells of a channel that fails by way of the others', async () => {
  const clientId = await client();
  const [failing, other] = [await channel(clientId), await channel(clientId)];
  await event(clientId);
  const deliveryId = randomUUID();
  await tell(clientId, failing, deliveryId);
  await tell(clientId, other);
  await expect(
    activities.endDelivery({ deliveryId, outcome: 'failed', reason: 'it is gone' }),
  ).resolves.toEqual({
    outcome: 'failed',
    message: 'it is gone',
  });
  await activities.endDelivery({ deliveryId, outcome: 'failed', reason: 'a repeat' });
  const { rows } = await sql.query<{ id: string; message: string }>(
    `select id, message from system_events where client_id = $1 and event_type = 'notification_failed'`,
    [clientId],
  );
  expect(rows).toHaveLength(1);
  expect(rows[0]!.message).toMatch(/channel ops was not told "An agent is orphaned\..*" .*it is gone$/);
  expect(await tell(clientId, failing)).toEqual([]);
  expect(await tell(clientId, other)).toEqual([rows[0]!.id]);
});

it('begins another group once one is closed', async () => {
  const clientId = await client();
  await channel(clientId);
  await event(clientId);
  const { groups } = await gather(clientId);
  const notificationIds = groups.map((group) => group.notificationId);
  await activities.closeNotifications({ audience: clientId, notificationIds });
  expect((await gather(clientId)).groups).toEqual([]);
  await event(clientId);
  const next = await gather(clientId);
  expect(next.groups).toMatchObject([{ events: 1 }]);
  expect(notificationIds).not.toContain(next.groups[0]!.notificationId);
});

it('keeps the number of groups bounded, and still tells everything', async () => {
  const clientId = await client();
  const channelId = await channel(clientId);
  const events: string[] = [];
  for (let at = 0; at < 130; at++) {
    events.push(await event(clientId, { type: `type_${at}`, message: `What ${at} says.` }));
  }
  const { groups } = await gather(clientId);
  expect(groups).toHaveLength(101);
  expect(groups.reduce((sum, group) => sum + group.events, 0)).toBe(130);
  const deliveryId = randomUUID();
  expect(await tell(clientId, channelId, deliveryId)).toEqual(events);
  const message = await messageOf(deliveryId);
  expect(message.groups[0]).toMatchObject({ eventType: null, events: 30 });
  expect(message.more.groups).toBe(95);
});

it('finds the place of an event by its instance, else by its agent', async () => {
  const clientId = await client();
  const channelId = await channel(clientId);
  await sql.query(
    `insert into agents (id, client_id, logical_agent_id, status, health, incarnation, terminate_wait_seconds, revision,
       az, region) values ($1, $1, 'web-1', 'online', 'healthy', 1, 300, 1, 'eu-west-1b', 'eu-west-1')`,
    [clientId],
  );
  await event(clientId, { agentId: clientId, details: {} });
  const deliveryId = randomUUID();
  await tell(clientId, channelId, deliveryId);
  const message = await messageOf(deliveryId);
  expect(message.title).toBe('Agent web-1 is orphaned: it has been silent for too long in eu-west-1b');
});

describe('the relay', () => {
  const round = async (fails: string[] = []) => {
    const told: string[] = [];
    await announceWaitingEvents(db, async (audience) => {
      if (fails.includes(audience)) throw new Error('Temporal is away');
      told.push(audience);
    }).catch(() => undefined);
    return told;
  };
  const rewind = (audience: string) =>
    sql.query(
      `update notification_audiences set announced_at = announced_at - interval '1 minute' where audience = $1`,
      [audience],
    );

  it('tells an audience once, again of what is new, and again when nothing comes of it', async () => {
    await round();
    const clientId = await client();
    await channel(clientId);
    await event(clientId);
    expect(await round()).toEqual([clientId]);
    expect(await round()).toEqual([]);
    await event(clientId);
    expect(await round()).toEqual([clientId]);
    await rewind(clientId);
    expect(await round()).toEqual([clientId]);
    await gather(clientId);
    await rewind(clientId);
    expect(await round()).toEqual([]);
  });

  it('tells the others when one can’t be told, and that one later', async () => {
    const [alpha, beta] = [await client(), await client()];
    for (const one of [alpha, beta]) {
      await channel(one);
      await event(one);
    }
    expect(await round([alpha])).toEqual([beta]);
    expect(await round()).toEqual([alpha]);
  });

  it('finds groups that were left by whoever should have closed them', async () => {
    const clientId = await client();
    await channel(clientId);
    await event(clientId);
    await round();
    await gather(clientId);
    await sql.query(
      `update notifications set last_event_at = now() - interval '4 hours' where audience = $1 and closed_at is null`,
      [clientId],
    );
    await rewind(clientId);
    expect(await round()).toContain(clientId);
  });
});

describe('row security', () => {
  async function asApi<T>(clientId: string, work: (connection: Client) => Promise<T>): Promise<T> {
    const connection = new Client({ connectionString: database.url, options: '-c role=spotkeeper_api' });
    await connection.connect();
    try {
      await connection.query('begin');
      await connection.query(`select set_config('spotkeeper.client_id', $1, true)`, [clientId]);
      return await work(connection);
    } finally {
      await connection.query('rollback');
      await connection.end();
    }
  }

  it.each(['notification_channels', 'notifications', 'notification_events', 'notification_deliveries'])(
    'shows the API of %s only what its scope names',
    async (table) => {
      const [alpha, beta] = [await client(), await client()];
      for (const one of [alpha, beta]) {
        const channelId = await channel(one);
        await event(one);
        await tell(one, channelId);
      }
      const { rows } = await asApi(alpha, (connection) =>
        connection.query<{ audience: string }>(`select distinct audience from ${table}`),
      );
      expect(rows).toEqual([{ audience: alpha }]);
    },
  );

  it.each([
    'select target from notification_channels',
    'select secret from notification_channels',
    'select * from notification_channels',
    'select * from notification_queue',
    'select * from notification_tellings',
    `update notification_deliveries set status = 'cancelled'`,
    `update notification_channels set client_id = null`,
    'delete from notification_channels',
    `insert into notification_channels (kind, name, target, shown_target, minimum_severity, messages_per_hour)
       values ('email', 'x', 'a@b.c', 'a@b.c', 'info', 1)`,
  ])('doesn’t let the API: %s', async (statement) => {
    const clientId = await client();
    await channel(clientId);
    await expect(asApi(clientId, (connection) => connection.query(statement))).rejects.toThrow(
      /permission denied|row-level security/,
    );
  });
});
