/** When a group of events is told, and how many messages a channel gets. Times are milliseconds since the epoch. */
import type { Severity } from '../contracts/notifications';
import type { Channel, Group, NotifyState } from './notify-state';

const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;

interface Pace {
  /** Told when nothing was added for this long; agents of one zone fall silent over a heartbeat's interval. */
  quietMs: number;
  /** Told at the latest so long after the first. */
  longestMs: number;
  /** Between one telling and the next. */
  pausesMs: readonly number[];
}

const UNHURRIED: Pace = {
  quietMs: 20 * SECOND,
  longestMs: 90 * SECOND,
  pausesMs: [5 * MINUTE, 15 * MINUTE, HOUR],
};
const PACES: Record<Severity, Pace> = {
  info: UNHURRIED,
  warning: UNHURRIED,
  critical: { quietMs: 3 * SECOND, longestMs: 10 * SECOND, pausesMs: [MINUTE, 5 * MINUTE, 15 * MINUTE] },
};

/** After so much quiet what comes is news of its own. */
const CLOSE_AFTER_MS = HOUR;
/** Messages that a channel which had none for long may get at once. */
const MOST_AT_ONCE = 5;
export function groupDueAtMs(group: Group): number | null {
  if (group.firstUntoldAtMs === null) return null;
  const pace = PACES[group.severity];
  const settledAtMs = Math.min(group.lastEventAtMs + pace.quietMs, group.firstUntoldAtMs + pace.longestMs);
  if (group.lastToldAtMs === null) return settledAtMs;
  const pauseMs = pace.pausesMs[Math.min(group.toldTimes, pace.pausesMs.length) - 1] ?? 0;
  return Math.max(settledAtMs, group.lastToldAtMs + pauseMs);
}

/** N4: never while something is untold. */
export function groupClosesAtMs(group: Group): number {
  return group.firstUntoldAtMs === null ? group.lastEventAtMs + CLOSE_AFTER_MS : Infinity;
}

export function mostAtOnce(messagesPerHour: number): number {
  return Math.min(MOST_AT_ONCE, messagesPerHour);
}

export function countAllowance(channel: Channel, nowMs: number): void {
  const grown = ((nowMs - channel.countedAtMs) / HOUR) * channel.messagesPerHour;
  channel.allowance = Math.min(mostAtOnce(channel.messagesPerHour), channel.allowance + grown);
  channel.countedAtMs = nowMs;
}

/** Rounded up, so that the allowance is there when the timer fires. */
export function allowedAtMs(channel: Channel): number {
  const missing = Math.max(0, 1 - channel.allowance);
  return channel.countedAtMs + Math.ceil((missing * HOUR) / channel.messagesPerHour) + 1;
}

/** When the clock alone changes something; null when only a message does. */
export function nextNotifyDeadlineMs(state: NotifyState): number | null {
  const times = [
    ...state.groups.map((group) => groupDueAtMs(group) ?? groupClosesAtMs(group)),
    ...state.channels.map((channel) =>
      channel.delivery
        ? (channel.delivery.askAtMs ?? Infinity)
        : channel.waiting.length > 0
          ? allowedAtMs(channel)
          : Infinity,
    ),
  ].filter((time) => Number.isFinite(time));
  return times.length === 0 ? null : Math.min(...times);
}
