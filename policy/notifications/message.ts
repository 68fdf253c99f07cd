/** From events to a message: what happened, where, to whom; what the system does; what a person can do. */
import type {
  MessageGroup,
  MessageSubject,
  NotificationMessage,
  Severity,
} from '../../contracts/notifications';
import { SEVERITIES, WHOLE_SYSTEM } from '../../contracts/notifications';
import { oneLine } from './clean-text';
import { type EventWords, wordsOf } from './event-words';

/** Where people find more; null where the installation doesn't say. */
export interface Places {
  /** The API, also the dashboard: no slash at the end. */
  apiUrl: string | null;
  dashboardUrl: string | null;
  temporalUiUrl: string | null;
  temporalNamespace: string;
}

export interface GroupFacts {
  notificationId: string;
  eventType: string | null;
  severity: Severity;
  zone: string | null;
  region: string | null;
  eventsInAll: number;
  since: Date;
  update: boolean;
  events: number;
  agents: number;
  /** The first of its events, oldest first. */
  subjects: (MessageSubject & { details: Record<string, unknown> })[];
}

const MOST_GROUPS = 6;
const MOST_SUBJECTS = 5;
const LONGEST_TITLE = 150;
const LONGEST_HEADLINE = 120;
const LONGEST_MESSAGE = 400;
const MOST_COMMANDS = 3;

/** @param groups at least one. */
export function composeMessage(
  audience: string,
  groups: readonly GroupFacts[],
  createdAt: Date,
  places: Places,
): NotificationMessage {
  const ordered = [...groups].sort(
    (a, b) =>
      rank(b.severity) - rank(a.severity) || b.events - a.events || a.since.getTime() - b.since.getTime(),
  );
  const shown = ordered.slice(0, MOST_GROUPS).map((group) => messageGroup(group, places));
  const rest = ordered.slice(MOST_GROUPS);
  const [first] = shown;
  if (!first) throw new TypeError('A message tells of at least one group of events.');
  const others = ordered.length - 1;
  return {
    kind: 'events',
    severity: first.severity,
    title: titleOf(first.headline, others),
    clientId: audience === WHOLE_SYSTEM ? null : audience,
    createdAt: createdAt.toISOString(),
    groups: shown,
    more: { groups: rest.length, events: rest.reduce((sum, group) => sum + group.events, 0) },
    links: linksOf(shown, places),
  };
}

export function composeTest(
  audience: string,
  requestedBy: string,
  createdAt: Date,
  places: Places,
): NotificationMessage {
  return {
    kind: 'test',
    severity: 'info',
    title: oneLine(
      `A test of this channel, asked for by ${requestedBy}: nothing has happened`,
      LONGEST_TITLE,
    ),
    clientId: audience === WHOLE_SYSTEM ? null : audience,
    createdAt: createdAt.toISOString(),
    groups: [],
    more: { groups: 0, events: 0 },
    links: linksOf([], places),
  };
}

function rank(severity: Severity): number {
  return SEVERITIES.indexOf(severity);
}

function titleOf(headline: string, others: number): string {
  const tail = others > 0 ? `, and ${others} more` : '';
  return oneLine(headline, LONGEST_TITLE - tail.length) + tail;
}

function messageGroup(group: GroupFacts, places: Places): MessageGroup {
  const { notificationId, eventType, severity, zone, region, update, events, eventsInAll } = group;
  const words = wordsOf(eventType);
  const shown = group.subjects.slice(0, MOST_SUBJECTS);
  return {
    notificationId,
    eventType,
    severity,
    zone,
    region,
    headline: headlineOf(group, words),
    update,
    events,
    eventsInAll,
    since: group.since.toISOString(),
    subjects: shown.map(({ details: _, ...subject }) => ({
      ...subject,
      logicalAgentId: subject.logicalAgentId && oneLine(subject.logicalAgentId, 100),
      message: oneLine(subject.message, LONGEST_MESSAGE),
    })),
    moreSubjects: events - shown.length,
    systemDoes: words?.systemDoes ?? null,
    personCan: personCan(group, words, places),
  };
}

function headlineOf(group: GroupFacts, words: EventWords | null): string {
  const { events, agents, zone, region, update } = group;
  const place = zone ?? region;
  const where = place === null ? '' : ` in ${oneLine(place, 40)}`;
  const [first] = group.subjects;
  if (words?.agents && agents > 1)
    return `${agents}${update ? ' more' : ''} agents ${words.agents[1]}${where}`;
  const again = update ? 'Again: ' : '';
  if (words?.agents && agents === 1) {
    const name = oneLine(first?.logicalAgentId ?? first?.agentId ?? 'unknown', 60);
    const times = events > 1 ? `, ${events} times` : '';
    return `${again}Agent ${name} ${words.agents[0]}${where}${times}`;
  }
  const others = events > 1 ? `, and ${events - 1} more` : '';
  return again + oneLine(first?.message ?? 'Something happened', LONGEST_HEADLINE) + others;
}

function personCan(
  group: GroupFacts,
  words: EventWords | null,
  { apiUrl }: Places,
): MessageGroup['personCan'] {
  if (!words?.personCan) return null;
  const agents = [...new Set(group.subjects.map((subject) => subject.agentId))].filter(isPlainId);
  if (words.commands !== 'keep-alive' || agents.length === 0) return { text: words.personCan, commands: [] };
  const [first] = agents;
  const commands = agents
    .slice(0, MOST_COMMANDS)
    .map((agentId) => `npx spotkeeper keep-alive ${agentId} --minutes 60`);
  if (apiUrl !== null) {
    commands.push(
      `curl -X POST -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" -d '{"minutes":60}' ${apiUrl}/api/agents/${first}/keep-alive`,
    );
  }
  return { text: words.personCan, commands };
}

/** Agents' ids are ours; anything else has no place in a command. */
function isPlainId(id: string | null): id is string {
  return id !== null && /^[\w][\w-]{0,63}$/.test(id);
}

function linksOf(groups: readonly MessageGroup[], places: Places): { label: string; url: string }[] {
  const links: { label: string; url: string }[] = [];
  if (places.dashboardUrl !== null) links.push({ label: 'Dashboard', url: places.dashboardUrl });
  const agentId = groups
    .flatMap((group) => group.subjects)
    .find((subject) => isPlainId(subject.agentId))?.agentId;
  if (places.temporalUiUrl !== null && agentId) {
    const namespace = encodeURIComponent(places.temporalNamespace);
    const workflow = encodeURIComponent(`agent:${agentId}`);
    links.push({
      label: 'Workflow in Temporal',
      url: `${places.temporalUiUrl}/namespaces/${namespace}/workflows/${workflow}`,
    });
  }
  return links;
}
