/** Channels by which people are told what happened, as the API keeps them: it writes addresses and secrets, and reads none. */
import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import type { ChannelKind, Severity } from '../contracts/notifications';
import type { Db } from './connect';

export interface ChannelRow {
  id: string;
  client_id: string | null;
  kind: ChannelKind;
  name: string;
  shown_target: string;
  minimum_severity: Severity;
  event_types: string[];
  messages_per_hour: number;
  enabled: boolean;
  created_at: Date;
  updated_at: Date;
}

const COLUMNS = [
  'id',
  'client_id',
  'kind',
  'name',
  'shown_target',
  'minimum_severity',
  'event_types',
  'messages_per_hour',
  'enabled',
  'created_at',
  'updated_at',
] as const;

/** More would be a mailing list. */
export const MOST_CHANNELS = 20;

/** 256 random bits behind a prefix that says what it is. */
export function newSigningSecret(): string {
  return `skw_${randomBytes(32).toString('base64url')}`;
}

export function listChannels(transaction: Db, audience: string): Promise<ChannelRow[]> {
  return transaction
    .selectFrom('notification_channels')
    .select(COLUMNS)
    .where('audience', '=', audience)
    .where('deleted_at', 'is', null)
    .orderBy('created_at')
    .orderBy('id')
    .execute();
}

export async function findChannel(
  transaction: Db,
  audience: string,
  channelId: string,
): Promise<ChannelRow | null> {
  const row = await transaction
    .selectFrom('notification_channels')
    .select(COLUMNS)
    .where('audience', '=', audience)
    .where('id', '=', channelId)
    .where('deleted_at', 'is', null)
    .executeTakeFirst();
  return row ?? null;
}

export interface NewChannel {
  clientId: string | null;
  kind: ChannelKind;
  name: string;
  target: string;
  shownTarget: string;
  secret: string | null;
  minimumSeverity: Severity;
  eventTypes: string[];
  messagesPerHour: number;
  enabled: boolean;
}

/** @returns null when the audience has as many channels as it may. */
export async function createChannel(
  transaction: Db,
  audience: string,
  channel: NewChannel,
): Promise<ChannelRow | null> {
  await sql`select pg_advisory_xact_lock(hashtextextended('channels:' || ${audience}, 0))`.execute(
    transaction,
  );
  if ((await listChannels(transaction, audience)).length >= MOST_CHANNELS) return null;
  return transaction
    .insertInto('notification_channels')
    .values({
      client_id: channel.clientId,
      kind: channel.kind,
      name: channel.name,
      target: channel.target,
      shown_target: channel.shownTarget,
      secret: channel.secret,
      minimum_severity: channel.minimumSeverity,
      event_types: channel.eventTypes,
      messages_per_hour: channel.messagesPerHour,
      enabled: channel.enabled,
    })
    .returning(COLUMNS)
    .executeTakeFirstOrThrow();
}

export interface ChannelChange {
  name?: string;
  target?: { target: string; shownTarget: string };
  secret?: string;
  minimumSeverity?: Severity;
  eventTypes?: string[];
  messagesPerHour?: number;
  enabled?: boolean;
}

/** @returns null when there is no such channel. */
export async function changeChannel(
  transaction: Db,
  audience: string,
  channelId: string,
  change: ChannelChange,
): Promise<ChannelRow | null> {
  const changed = await transaction
    .updateTable('notification_channels')
    .set({
      updated_at: sql`now()`,
      ...(change.name !== undefined && { name: change.name }),
      ...(change.target && { target: change.target.target, shown_target: change.target.shownTarget }),
      ...(change.secret !== undefined && { secret: change.secret }),
      ...(change.minimumSeverity && { minimum_severity: change.minimumSeverity }),
      ...(change.eventTypes && { event_types: change.eventTypes }),
      ...(change.messagesPerHour !== undefined && { messages_per_hour: change.messagesPerHour }),
      ...(change.enabled !== undefined && {
        enabled: change.enabled,
        // What happens while it is switched off isn't told afterwards.
        told_from: sql<Date>`case when enabled = ${change.enabled} then told_from else now() end`,
      }),
    })
    .where('audience', '=', audience)
    .where('id', '=', channelId)
    .where('deleted_at', 'is', null)
    .returning(COLUMNS)
    .executeTakeFirst();
  return changed ?? null;
}

/** What it has delivered stays on record; its address and secret go. @returns whether there was such a channel. */
export async function deleteChannel(transaction: Db, audience: string, channelId: string): Promise<boolean> {
  const deleted = await transaction
    .updateTable('notification_channels')
    .set({ deleted_at: sql`now()`, updated_at: sql`now()`, enabled: false, target: '', secret: null })
    .where('audience', '=', audience)
    .where('id', '=', channelId)
    .where('deleted_at', 'is', null)
    .returning('id')
    .executeTakeFirst();
  return deleted !== undefined;
}

/** Newest first. */
export function listDeliveries(transaction: Db, audience: string, channelId: string, limit: number) {
  return transaction
    .selectFrom('notification_deliveries')
    .select([
      'id',
      'kind',
      'status',
      'events',
      'attempts',
      'last_error',
      'response_status',
      'created_at',
      'last_attempt_at',
      'delivered_at',
      sql<string>`coalesce(message ->> 'title', '')`.as('title'),
    ])
    .where('audience', '=', audience)
    .where('channel_id', '=', channelId)
    .orderBy('created_at', 'desc')
    .orderBy('id')
    .limit(limit)
    .execute();
}
