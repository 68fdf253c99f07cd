/**
 * Notifications: what their workflows and activities say to each other, all plain JSON, and the message before it is
 * put into the form of a channel.
 *
 * Glossary: an _audience_ is a client, or `*` for the whole system, and has channels. A _notification_ is a group of
 * events of one kind, place and cause. A _delivery_ is one message to one channel; it tells of events of one or more
 * notifications, and each event at most once a channel.
 */

export type Severity = 'info' | 'warning' | 'critical';
export const SEVERITIES = ['info', 'warning', 'critical'] as const satisfies Severity[];

export type ChannelKind = 'slack' | 'email' | 'webhook';

export type DeliveryStatus = 'pending' | 'delivered' | 'failed' | 'cancelled';

/** The audience of an installation's own operators: every client's events. No client can have this id. */
export const WHOLE_SYSTEM = '*';

export function notifyWorkflowId(audience: string): string {
  return `notify:${audience}`;
}

export function deliveryWorkflowId(deliveryId: string): string {
  return `delivery:${deliveryId}`;
}

/** One test of a channel at a time. */
export function channelTestWorkflowId(channelId: string): string {
  return `channel-test:${channelId}`;
}

export const notificationWorkflowTypes = { notify: 'notifyWorkflow', delivery: 'deliveryWorkflow' } as const;

export const notificationSignals = {
  /** Events wait to be told; no argument. */
  eventsWaiting: 'eventsWaiting',
  deliveryEnded: 'deliveryEnded',
} as const;

export const notifyStateQueryName = 'notifyState';

export interface NotifyInput {
  audience: string;
  /** Set when the run goes on from an earlier one. */
  carried?: unknown;
  /** What the run before had heard and not looked at. */
  unread?: unknown;
  /** Events after which the run continues as new; the server's own suggestion counts besides. */
  historyLimitEvents?: number;
}

/** One open group as it stands in the books. */
export interface GatheredGroup {
  notificationId: string;
  severity: Severity;
  /** All of them so far. */
  events: number;
  /** Of the channels that want its events. */
  channelIds: string[];
}

export interface Gathered {
  groups: GatheredGroup[];
  channels: { channelId: string; messagesPerHour: number }[];
  /** There are events that this call didn't take. */
  more: boolean;
}

export interface DeliveryRequest {
  audience: string;
  channelId: string;
  deliveryId: string;
  notificationIds: string[];
}

export interface DeliveryInput {
  audience: string;
  channelId: string;
  deliveryId: string;
  /** One attempt at a message that only says that it is a test. */
  test: { requestedBy: string } | null;
}

export interface DeliveryResult {
  outcome: 'delivered' | 'failed' | 'cancelled';
  message: string;
}

export interface DeliveryEnded {
  deliveryId: string;
  outcome: DeliveryResult['outcome'];
}

export interface NotificationActivities {
  /** Puts waiting events into groups and says how the open groups stand; a repeat says the same. */
  gatherEvents(request: { audience: string }): Promise<Gathered>;
  /** What comes later of the same kind begins a new group. */
  closeNotifications(request: { audience: string; notificationIds: string[] }): Promise<void>;
  /** Composes a message of what the channel wants and hasn't been told; `prepared` is false when that is nothing. */
  prepareDelivery(request: DeliveryRequest): Promise<{ prepared: boolean; summary: string }>;
  prepareTest(request: {
    audience: string;
    channelId: string;
    deliveryId: string;
    requestedBy: string;
  }): Promise<{ prepared: boolean; summary: string }>;
  /** Fails when it has to be tried again, with a failure that isn't retried when no later attempt can help. */
  sendDelivery(request: { deliveryId: string }): Promise<DeliveryResult>;
  /** Writes down that a delivery is given up; one that was delivered after all stays so. */
  endDelivery(request: {
    deliveryId: string;
    outcome: 'failed' | 'cancelled';
    reason: string | null;
  }): Promise<DeliveryResult>;
}

/** Reply to the query `notifyState`. */
export interface NotifyStateView {
  audience: string;
  groups: {
    notificationId: string;
    severity: Severity;
    events: number;
    told: number;
    dueAt: string | null;
  }[];
  channels: { channelId: string; waiting: number; deliveryId: string | null; messagesLeft: number }[];
  rejectedMessages: string[];
}

/** What a delivery says, whatever the channel. All text may hold what an agent chose: channels escape it. */
export interface NotificationMessage {
  kind: 'events' | 'test';
  severity: Severity;
  /** One line. */
  title: string;
  /** Null for the whole system. */
  clientId: string | null;
  createdAt: string;
  /** The most severe first. */
  groups: MessageGroup[];
  /** What didn't fit. */
  more: { groups: number; events: number };
  links: { label: string; url: string }[];
}

export interface MessageGroup {
  notificationId: string;
  eventType: string | null;
  severity: Severity;
  zone: string | null;
  region: string | null;
  headline: string;
  /** Set when the channel was told of the same group before. */
  update: boolean;
  /** Told by this message. */
  events: number;
  /** Told or not, since the group began. */
  eventsInAll: number;
  since: string;
  subjects: MessageSubject[];
  /** Events of this message that aren't among the subjects. */
  moreSubjects: number;
  /** What the system does by itself. */
  systemDoes: string | null;
  /** What a person can do; commands are on lines of their own. */
  personCan: { text: string; commands: string[] } | null;
}

export interface MessageSubject {
  eventId: string;
  eventType: string;
  clientId: string;
  agentId: string | null;
  logicalAgentId: string | null;
  instanceId: string | null;
  message: string;
  at: string;
}
