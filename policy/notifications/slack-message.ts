/**
 * A message as Slack's incoming webhooks take it. Text that others chose can mention nobody, link nowhere and break out
 * of nothing: the three characters that Slack reads as control are escaped, and `verbatim` leaves the rest alone.
 */
import type { MessageGroup, NotificationMessage } from '../../contracts/notifications';
import { moreText, subjectText } from './plain-text';

/** Slack's own limits; beyond them it refuses the whole message. */
const LONGEST_SECTION = 3000;
const MOST_BLOCKS = 50;

const MARKS = { info: ':information_source:', warning: ':warning:', critical: ':rotating_light:' } as const;

export function slackMessage(message: NotificationMessage): Record<string, unknown> {
  const client = message.clientId === null ? [] : [section(`Client ${escaped(message.clientId)}`)];
  const links = message.links.map(({ label, url }) => `<${linkTarget(url)}|${escaped(label)}>`).join(' · ');
  const blocks = [
    ...(message.groups.length === 1 ? [] : [section(`*${plain(message.title)}*`)]),
    ...message.groups.map((group) => section(groupText(group, message))),
    ...moreText(message).map((text) => section(escaped(text))),
    ...(links === '' ? [] : [section(links)]),
    ...client,
  ];
  return {
    // What a notification on a phone shows.
    text: `${MARKS[message.severity]} ${escaped(message.title)}`,
    blocks: blocks.slice(0, MOST_BLOCKS),
    parse: 'none',
    link_names: false,
    unfurl_links: false,
    unfurl_media: false,
  };
}

function groupText(group: MessageGroup, { clientId }: NotificationMessage): string {
  const lines = [
    `${MARKS[group.severity]} *${plain(group.headline)}*`,
    ...(group.update ? [`${group.eventsInAll} since ${group.since}.`] : []),
    ...group.subjects.map((subject) => `• ${plain(subjectText(subject, clientId))}`),
    ...(group.moreSubjects > 0 ? [`• and ${group.moreSubjects} more`] : []),
    ...(group.systemDoes === null ? [] : [escaped(group.systemDoes)]),
    ...(group.personCan === null
      ? []
      : [escaped(group.personCan.text), ...group.personCan.commands.map((one) => `\`${escaped(one)}\``)]),
  ];
  return lines.join('\n');
}

function section(text: string) {
  return { type: 'section', text: { type: 'mrkdwn', text: fitted(text), verbatim: true } };
}

/** Whole lines only, so that no escape is cut in the middle. */
function fitted(text: string): string {
  if (text.length <= LONGEST_SECTION) return text;
  const lines: string[] = [];
  let length = 2;
  for (const line of text.split('\n')) {
    length += line.length + 1;
    if (length > LONGEST_SECTION) break;
    lines.push(line);
  }
  return [...lines, '…'].join('\n');
}

export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** Others' text without what Slack would show bold, struck out or as code: only looks, but looks can mislead. */
function plain(text: string): string {
  return escaped(text).replace(/[*~`]/g, (mark) => `\u200b${mark}\u200b`);
}

function linkTarget(url: string): string {
  return new URL(url).href.replaceAll('|', '%7C').replaceAll('<', '%3C').replaceAll('>', '%3E');
}
