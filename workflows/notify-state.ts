/**
 * What the workflow that notifies one audience knows, and what it wants done.
 *
 * A group's events are told when it has been quiet for a moment, or has grown for long enough; what comes after that is
 * told in updates, further apart each time. A channel gets one message at a time and so many an hour: what is due
 * meanwhile waits and goes into its next message.
 *
 * Invariants, cited where the rules uphold them:
 *   N1  each event of a group becomes due for each channel that wants it, once the books show it in the group;
 *   N2  a channel has at most one message under way;
 *   N3  what is due stays due until a message with it has been prepared;
 *   N4  a group is closed only when all its events have become due.
 */
import type { NotifyStateView, Severity } from '../contracts/notifications';
import { groupDueAtMs } from './notify-pace';

export interface Group {
  notificationId: string;
  severity: Severity;
  channelIds: string[];
  events: number;
  /** How many of the events have become due. */
  told: number;
  firstUntoldAtMs: number | null;
  lastEventAtMs: number;
  toldTimes: number;
  lastToldAtMs: number | null;
}

export interface Channel {
  channelId: string;
  messagesPerHour: number;
  /** Messages that may go out at once, as of `countedAtMs`; it grows back with time. */
  allowance: number;
  countedAtMs: number;
  /** Notifications that are due. */
  waiting: string[];
  delivery: {
    deliveryId: string;
    /** What it is to tell of; null once it is prepared. */
    notificationIds: string[] | null;
    askAtMs: number | null;
  } | null;
}

export interface NotifyState {
  version: 1;
  audience: string;
  /** There may be events to gather. */
  gatherDue: boolean;
  gathering: boolean;
  groups: Group[];
  channels: Channel[];
  rejectedMessages: string[];
}

export function initialNotifyState(audience: string): NotifyState {
  return {
    version: 1,
    audience,
    gatherDue: true,
    gathering: false,
    groups: [],
    channels: [],
    rejectedMessages: [],
  };
}

/** Nothing is left to do until more happens. */
export function hasNothingToDo(state: NotifyState): boolean {
  const busy = state.channels.some((channel) => channel.delivery !== null || channel.waiting.length > 0);
  return !state.gatherDue && !state.gathering && state.groups.length === 0 && !busy;
}

export function notifyStateView(state: NotifyState): NotifyStateView {
  return {
    audience: state.audience,
    groups: state.groups.map((group) => {
      const dueAtMs = groupDueAtMs(group);
      return {
        notificationId: group.notificationId,
        severity: group.severity,
        events: group.events,
        told: group.told,
        dueAt: dueAtMs === null ? null : new Date(dueAtMs).toISOString(),
      };
    }),
    channels: state.channels.map((channel) => ({
      channelId: channel.channelId,
      waiting: channel.waiting.length,
      deliveryId: channel.delivery?.deliveryId ?? null,
      messagesLeft: Math.floor(channel.allowance),
    })),
    rejectedMessages: state.rejectedMessages,
  };
}
