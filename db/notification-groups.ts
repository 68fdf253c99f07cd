/**
 * Puts waiting events into groups. An event leaves the queue in the transaction that puts it into its group, so nothing
 * is lost or counted twice, whoever is killed when.
 */
import { sql } from 'kysely';
import type { Gathered, Severity } from '../contracts/notifications';
import type { Db } from './connect';

/** What decides into which group an event goes. */
export interface QueuedEvent {
  eventId: string;
  eventType: string;
  severity: Severity;
  zone: string | null;
  region: string | null;
  details: Record<string, unknown>;
  createdAt: Date;
}

export interface EventGroup {
  key: string;
  /** Null takes in any. */
  eventType: string | null;
  severity: Severity;
  zone: string | null;
  region: string | null;
  cause: string | null;
}

export type ChooseGroup = (event: QueuedEvent, openKeys: ReadonlySet<string>) => EventGroup;

const BATCH = 500;

export function gatherEvents(db: Db, audience: string, choose: ChooseGroup): Promise<Gathered> {
  return db.transaction().execute(async (transaction) => {
    // One at a time for an audience: a repeat of this call may begin before the first has ended.
    await sql`select pg_advisory_xact_lock(hashtextextended('notify:' || ${audience}, 0))`.execute(
      transaction,
    );
    const waiting = await takeFromQueue(transaction, audience);
    if (waiting.length > 0) await addToGroups(transaction, audience, waiting, choose);
    return { ...(await openGroups(transaction, audience)), more: waiting.length === BATCH };
  });
}

async function takeFromQueue(transaction: Db, audience: string): Promise<QueuedEvent[]> {
  const { rows } = await sql<QueuedEvent>`
    with taken as (
      delete from notification_queue where id in (
        select id from notification_queue where audience = ${audience} order by id limit ${BATCH})
      returning event_id)
    select event.id as "eventId", event.event_type as "eventType", event.severity, event.details,
      event.created_at as "createdAt",
      coalesce(nullif(event.details ->> 'zone', ''), instance.az, agent.az) as zone,
      coalesce(nullif(event.details ->> 'region', ''), instance.region, agent.region) as region
    from taken join system_events event on event.id = taken.event_id
      left join instances instance on instance.client_id = event.client_id and instance.id = event.instance_id
      left join agents agent on agent.id = event.agent_id
    order by event.id`.execute(transaction);
  return rows;
}

async function addToGroups(
  transaction: Db,
  audience: string,
  events: readonly QueuedEvent[],
  choose: ChooseGroup,
): Promise<void> {
  const open = await transaction
    .selectFrom('notifications')
    .select('group_key')
    .where('audience', '=', audience)
    .where('closed_at', 'is', null)
    .execute();
  const openKeys = new Set(open.map((row) => row.group_key));
  const groups = new Map<string, { group: EventGroup; events: QueuedEvent[] }>();
  for (const event of events) {
    const group = choose(event, openKeys);
    openKeys.add(group.key);
    const known = groups.get(group.key);
    if (known) known.events.push(event);
    else groups.set(group.key, { group, events: [event] });
  }
  for (const { group, events: members } of groups.values()) {
    await addToGroup(transaction, audience, group, members);
  }
}

async function addToGroup(
  transaction: Db,
  audience: string,
  group: EventGroup,
  members: readonly QueuedEvent[],
): Promise<void> {
  const times = members.map((event) => event.createdAt.getTime());
  const { id } = await transaction
    .insertInto('notifications')
    .values({
      audience,
      group_key: group.key,
      severity: group.severity,
      event_type: group.eventType,
      zone: group.zone,
      region: group.region,
      cause: group.cause,
      events: members.length,
      first_event_at: new Date(Math.min(...times)),
      last_event_at: new Date(Math.max(...times)),
    })
    .onConflict((conflict) =>
      conflict
        .columns(['audience', 'group_key'])
        .where('closed_at', 'is', null)
        .doUpdateSet({
          events: sql`notifications.events + excluded.events`,
          last_event_at: sql`greatest(notifications.last_event_at, excluded.last_event_at)`,
        }),
    )
    .returning('id')
    .executeTakeFirstOrThrow();
  await transaction
    .insertInto('notification_events')
    .values(members.map(({ eventId }) => ({ audience, event_id: eventId, notification_id: id })))
    .execute();
}

async function openGroups(transaction: Db, audience: string): Promise<Omit<Gathered, 'more'>> {
  const groups = await sql<Gathered['groups'][number]>`
    select notification.id as "notificationId", notification.severity, notification.events,
      coalesce(array_agg(channel.id::text order by channel.id) filter (where channel.id is not null), '{}') as "channelIds"
    from notifications notification
      left join notification_channels channel on channel.audience = notification.audience and channel.enabled
        and (notification.event_type is null or wants_event(channel.minimum_severity, channel.event_types,
          notification.severity, notification.event_type))
    where notification.audience = ${audience} and notification.closed_at is null
    group by notification.id order by notification.id`.execute(transaction);
  const channels = await transaction
    .selectFrom('notification_channels')
    .select(['id as channelId', 'messages_per_hour as messagesPerHour'])
    .where('audience', '=', audience)
    .where('enabled', '=', true)
    .orderBy('id')
    .execute();
  return { groups: groups.rows, channels };
}

/** What comes later of the same kind begins a new group. */
export async function closeNotifications(
  db: Db,
  audience: string,
  notificationIds: readonly string[],
): Promise<void> {
  if (notificationIds.length === 0) return;
  await db
    .updateTable('notifications')
    .set({ closed_at: sql`coalesce(closed_at, now())` })
    .where('audience', '=', audience)
    .where('id', 'in', [...notificationIds])
    .execute();
}
