/**
 * Messages to channels. What a message tells is written down with it, under a key of channel and event, so that no
 * channel is told of an event twice; and a message keeps its id over every attempt, so that its receiver can tell too.
 */
import { sql } from 'kysely';
import type {
  ChannelKind,
  DeliveryRequest,
  DeliveryResult,
  DeliveryStatus,
  MessageSubject,
  NotificationMessage,
  Severity,
} from '../contracts/notifications';
import { WHOLE_SYSTEM } from '../contracts/notifications';
import type { Db } from './connect';

/** One group's part of a message. */
export interface ToldGroup {
  notificationId: string;
  eventType: string | null;
  severity: Severity;
  zone: string | null;
  region: string | null;
  cause: string | null;
  eventsInAll: number;
  since: Date;
  update: boolean;
  events: number;
  agents: number;
  /** The first of them. */
  subjects: (MessageSubject & { details: Record<string, unknown> })[];
}

/** As many events a group are read as any channel could show. */
const SUBJECTS = 10;

/**
 * Makes a message of what the channel wants and hasn't been told of these notifications.
 * @returns null when that is nothing, or the channel is there no more. A repeat returns what the first made.
 */
export function prepareDelivery(
  db: Db,
  request: DeliveryRequest,
  compose: (groups: ToldGroup[], createdAt: Date) => NotificationMessage,
): Promise<NotificationMessage | null> {
  const { audience, channelId, deliveryId, notificationIds } = request;
  return db.transaction().execute(async (transaction) => {
    const known = await messageOf(transaction, deliveryId);
    if (known) return known;
    const channel = await transaction
      .selectFrom('notification_channels')
      .select('id')
      .where('id', '=', channelId)
      .where('audience', '=', audience)
      .where('enabled', '=', true)
      .executeTakeFirst();
    if (!channel || notificationIds.length === 0) return null;
    const told = await tell(transaction, request);
    if (told === 0) return null;
    const groups = await toldGroups(transaction, deliveryId);
    const message = compose(groups, new Date());
    await transaction
      .updateTable('notification_deliveries')
      .set({ message: JSON.stringify(message), events: told })
      .where('id', '=', deliveryId)
      .execute();
    return message;
  });
}

async function tell(transaction: Db, request: DeliveryRequest): Promise<number> {
  const { audience, channelId, deliveryId, notificationIds } = request;
  const { rows } = await sql<{ event_id: string }>`
    select event.id as event_id
    from notification_events member
      join system_events event on event.id = member.event_id
      join notification_channels channel on channel.id = ${channelId} and channel.audience = member.audience
    where member.audience = ${audience} and member.notification_id = any(${notificationIds}::bigint[])
      and (member.audience = ${WHOLE_SYSTEM} or event.client_id = member.audience)
      and event.created_at >= channel.told_from
      and wants_event(channel.minimum_severity, channel.event_types, event.severity, event.event_type)
      and channel.id::text is distinct from event.details ->> 'failedChannelId'
      and not exists (select from notification_tellings told
        where told.channel_id = channel.id and told.event_id = event.id)`.execute(transaction);
  if (rows.length === 0) return 0;
  await transaction
    .insertInto('notification_deliveries')
    .values({
      id: deliveryId,
      audience,
      channel_id: channelId,
      kind: 'events',
      message: '{}',
      events: rows.length,
    })
    .execute();
  await sql`insert into notification_tellings (channel_id, event_id, delivery_id)
    select ${channelId}, event_id, ${deliveryId}
    from unnest(${rows.map((row) => row.event_id)}::bigint[]) event_id`.execute(transaction);
  return rows.length;
}

async function toldGroups(transaction: Db, deliveryId: string): Promise<ToldGroup[]> {
  const { rows } = await sql<Omit<ToldGroup, 'subjects'> & { subjects: ToldGroup['subjects'] | null }>`
    with told as (
      select member.notification_id, event.*, agent.logical_agent_id,
        row_number() over (partition by member.notification_id order by event.id) as place
      from notification_tellings telling
        join notification_deliveries delivery on delivery.id = telling.delivery_id
        join system_events event on event.id = telling.event_id
        join notification_events member on member.audience = delivery.audience and member.event_id = event.id
        left join agents agent on agent.id = event.agent_id
      where telling.delivery_id = ${deliveryId}
    )
    select notification.id as "notificationId", notification.event_type as "eventType", notification.severity,
      notification.zone, notification.region, notification.cause, notification.events as "eventsInAll",
      notification.first_event_at as since, count(*)::int as events, count(distinct told.agent_id)::int as agents,
      exists (select from notification_events member
          join notification_deliveries delivery on delivery.id = ${deliveryId}
          join notification_tellings earlier on earlier.channel_id = delivery.channel_id
            and earlier.event_id = member.event_id and earlier.delivery_id <> delivery.id
        where member.notification_id = notification.id) as update,
      jsonb_agg(jsonb_build_object('eventId', told.id::text, 'eventType', told.event_type,
        'clientId', told.client_id, 'agentId', told.agent_id, 'logicalAgentId', told.logical_agent_id,
        'instanceId', told.instance_id, 'message', told.message, 'details', told.details,
        'at', to_char(told.created_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
        order by told.id) filter (where told.place <= ${SUBJECTS}) as subjects
    from told join notifications notification on notification.id = told.notification_id
    group by notification.id order by notification.id`.execute(transaction);
  return rows.map((row) => ({ ...row, subjects: row.subjects ?? [] }));
}

/** @returns null when there is no such channel, or it is switched off. */
export function prepareTest(
  db: Db,
  request: { audience: string; channelId: string; deliveryId: string },
  message: NotificationMessage,
): Promise<NotificationMessage | null> {
  const { audience, channelId, deliveryId } = request;
  return db.transaction().execute(async (transaction) => {
    const known = await messageOf(transaction, deliveryId);
    if (known) return known;
    const channel = await transaction
      .selectFrom('notification_channels')
      .select('id')
      .where('id', '=', channelId)
      .where('audience', '=', audience)
      .where('deleted_at', 'is', null)
      .executeTakeFirst();
    if (!channel) return null;
    await transaction
      .insertInto('notification_deliveries')
      .values({
        id: deliveryId,
        audience,
        channel_id: channelId,
        kind: 'test',
        message: JSON.stringify(message),
        events: 0,
      })
      .execute();
    return message;
  });
}

async function messageOf(transaction: Db, deliveryId: string): Promise<NotificationMessage | null> {
  const row = await transaction
    .selectFrom('notification_deliveries')
    .select('message')
    .where('id', '=', deliveryId)
    .executeTakeFirst();
  return row?.message ?? null;
}

export interface DueDelivery {
  deliveryId: string;
  status: DeliveryStatus;
  message: NotificationMessage;
  channel: { id: string; kind: ChannelKind; name: string; target: string; secret: string | null };
  /** A test is sent by a channel that is switched off, too. */
  deliverable: boolean;
}

/** Counts the attempt that is about to be made. @throws Error when there is no such delivery. */
export async function beginAttempt(db: Db, deliveryId: string): Promise<DueDelivery> {
  const { rows } = await sql<DueDelivery>`
    with begun as (
      update notification_deliveries set attempts = attempts + 1, last_attempt_at = now()
      where id = ${deliveryId} and status = 'pending' returning id)
    select delivery.id as "deliveryId", delivery.status, delivery.message,
      channel.deleted_at is null and (channel.enabled or delivery.kind = 'test') as deliverable,
      jsonb_build_object('id', channel.id, 'kind', channel.kind, 'name', channel.name, 'target', channel.target,
        'secret', channel.secret) as channel
    from notification_deliveries delivery
      join notification_channels channel on channel.id = delivery.channel_id
    where delivery.id = ${deliveryId}`.execute(db);
  const [row] = rows;
  if (!row) throw new Error(`There is no delivery ${deliveryId}.`);
  return row;
}

/** @param note what a receiver took only in part. */
export async function markDelivered(
  db: Db,
  deliveryId: string,
  responseStatus: number | null,
  note: string | null,
): Promise<void> {
  await db
    .updateTable('notification_deliveries')
    .set({
      status: 'delivered',
      delivered_at: sql`now()`,
      response_status: responseStatus,
      last_error: note,
    })
    .where('id', '=', deliveryId)
    .where('status', '<>', 'delivered')
    .execute();
}

export async function noteFailedAttempt(
  db: Db,
  deliveryId: string,
  error: string,
  responseStatus: number | null,
): Promise<void> {
  await db
    .updateTable('notification_deliveries')
    .set({ last_error: error, response_status: responseStatus })
    .where('id', '=', deliveryId)
    .where('status', '=', 'pending')
    .execute();
}

export interface EndedDelivery extends DeliveryResult {
  audience: string;
  channelId: string;
  channelName: string;
  kind: 'events' | 'test';
  title: string;
  attempts: number;
}

/** Gives a delivery up, unless it has been delivered. @param reason null: what the last attempt said. */
export async function endDelivery(
  db: Db,
  deliveryId: string,
  outcome: 'failed' | 'cancelled',
  reason: string | null,
): Promise<EndedDelivery> {
  await sql`update notification_deliveries
    set status = ${outcome}, last_error = coalesce(${reason}, last_error, 'No attempt was made.')
    where id = ${deliveryId} and status = 'pending'`.execute(db);
  const { rows } = await sql<EndedDelivery & { status: DeliveryStatus }>`
    select delivery.status as outcome, coalesce(delivery.last_error, '') as message, delivery.audience, delivery.kind,
      delivery.attempts, coalesce(delivery.message ->> 'title', '') as title, channel.id as "channelId",
      channel.name as "channelName"
    from notification_deliveries delivery
      join notification_channels channel on channel.id = delivery.channel_id
    where delivery.id = ${deliveryId}`.execute(db);
  const [row] = rows;
  if (!row) throw new Error(`There is no delivery ${deliveryId}.`);
  return row;
}
