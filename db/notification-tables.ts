/** The tables by which people are told what happened, as Kysely sees them; who writes which is said in `schema.ts`. */
import type { ColumnType, Generated, GeneratedAlways, JSONColumnType } from 'kysely';
import type { ChannelKind, DeliveryStatus, NotificationMessage, Severity } from '../contracts/notifications';

type Timestamp = ColumnType<Date, Date | string, Date | string>;
type DefaultTimestamp = ColumnType<Date, Date | string | undefined, Date | string>;

export interface NotificationChannelsTable {
  id: Generated<string>;
  /** Null for one of the whole system's. */
  client_id: string | null;
  /** The client's id, or `*`. */
  audience: GeneratedAlways<string>;
  kind: ChannelKind;
  name: string;
  /** An address or addresses; the API's role can write it but not read it. */
  target: string;
  /** So much of the target as people may see. */
  shown_target: string;
  /** Signs webhooks; as little to be read as the target. */
  secret: string | null;
  minimum_severity: Severity;
  /** Wanted whatever their severity. */
  event_types: Generated<string[]>;
  messages_per_hour: number;
  enabled: Generated<boolean>;
  told_from: DefaultTimestamp;
  created_at: DefaultTimestamp;
  updated_at: DefaultTimestamp;
  deleted_at: Timestamp | null;
}

/** Events that nobody has put into a group yet. */
export interface NotificationQueueTable {
  id: GeneratedAlways<string>;
  audience: string;
  event_id: string;
}

/** How far each audience's workflow was told that events wait. */
export interface NotificationAudiencesTable {
  audience: string;
  announced_id: string;
  announced_at: Timestamp;
}

/** Groups: what is told in one message, and in updates to it. */
export interface NotificationsTable {
  id: GeneratedAlways<string>;
  audience: string;
  group_key: string;
  severity: Severity;
  event_type: string | null;
  zone: string | null;
  region: string | null;
  cause: string | null;
  events: number;
  first_event_at: Timestamp;
  last_event_at: Timestamp;
  closed_at: Timestamp | null;
}

export interface NotificationEventsTable {
  audience: string;
  event_id: string;
  notification_id: string;
}

/** Messages on their way to one channel, and what became of them. */
export interface NotificationDeliveriesTable {
  id: string;
  audience: string;
  channel_id: string;
  kind: 'events' | 'test';
  status: Generated<DeliveryStatus>;
  message: JSONColumnType<NotificationMessage, string, string>;
  events: number;
  attempts: Generated<number>;
  last_error: string | null;
  response_status: number | null;
  created_at: DefaultTimestamp;
  last_attempt_at: Timestamp | null;
  delivered_at: Timestamp | null;
}

/** Which message tells a channel of which event: one at most. */
export interface NotificationTellingsTable {
  channel_id: string;
  event_id: string;
  delivery_id: string;
}

export interface NotificationTables {
  notification_channels: NotificationChannelsTable;
  notification_queue: NotificationQueueTable;
  notification_audiences: NotificationAudiencesTable;
  notifications: NotificationsTable;
  notification_events: NotificationEventsTable;
  notification_deliveries: NotificationDeliveriesTable;
  notification_tellings: NotificationTellingsTable;
}
