/**
 * Which events are one piece of news: those of one kind, severity, place and cause. A zone that fails brings a hundred
 * orphans of one kind and place, so one message. The severity is part of it, so that nothing critical waits as long as
 * a warning may.
 */
import type { Severity } from '../../contracts/notifications';

export interface GroupedEvent {
  eventType: string;
  severity: Severity;
  zone: string | null;
  region: string | null;
  details: Record<string, unknown>;
}

export interface Group {
  key: string;
  /** Null takes in any. */
  eventType: string | null;
  severity: Severity;
  zone: string | null;
  region: string | null;
  cause: string | null;
}

/** So many groups an audience; what would begin another goes into one for the rest of its severity. */
export const MOST_GROUPS = 100;

/** Details that tell causes apart. Each has few values; text that differs from event to event would group nothing. */
const CAUSES = ['cause', 'code', 'failedChannelId'];
const LONGEST_CAUSE = 64;

/** @param openKeys of the groups that the audience has. */
export function groupOf(event: GroupedEvent, openKeys: ReadonlySet<string>): Group {
  const { eventType, severity, zone } = event;
  const region = event.region;
  const cause = causeOf(event.details);
  const key = JSON.stringify([severity, eventType, zone ?? region, cause]);
  if (openKeys.has(key) || openKeys.size < MOST_GROUPS)
    return { key, eventType, severity, zone, region, cause };
  return {
    key: JSON.stringify([severity]),
    eventType: null,
    severity,
    zone: null,
    region: null,
    cause: null,
  };
}

function causeOf(details: Record<string, unknown>): string | null {
  for (const name of CAUSES) {
    const value = details[name];
    if (typeof value === 'string' && value !== '') return value.slice(0, LONGEST_CAUSE);
  }
  return null;
}
