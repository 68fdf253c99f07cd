/** A message as plain text, for mail. */
import type { MessageGroup, MessageSubject, NotificationMessage } from '../../contracts/notifications';

export function plainText(message: NotificationMessage): string {
  const blocks = [
    ...(message.groups.length === 1 ? [] : [message.title]),
    ...message.groups.map((group) => groupText(group, message)),
    ...moreText(message),
    ...(message.clientId === null ? [] : [`Client: ${message.clientId}`]),
    ...message.links.map(({ label, url }) => `${label}: ${url}`),
  ];
  return `${blocks.join('\n\n')}\n`;
}

function groupText(group: MessageGroup, { clientId }: NotificationMessage): string {
  const lines = [
    `${group.severity.toUpperCase()}: ${group.headline}`,
    ...(group.update ? [`${group.eventsInAll} since ${group.since}.`] : []),
    ...group.subjects.map((subject) => `- ${subjectText(subject, clientId)}`),
    ...(group.moreSubjects > 0 ? [`- and ${group.moreSubjects} more`] : []),
    ...(group.systemDoes === null ? [] : [group.systemDoes]),
    ...(group.personCan === null
      ? []
      : [group.personCan.text, ...group.personCan.commands.map((one) => `  ${one}`)]),
  ];
  return lines.join('\n');
}

/** @param clientId of the message: events of others name theirs. */
export function subjectText(subject: MessageSubject, clientId: string | null): string {
  const of = clientId === null ? `${subject.clientId}: ` : '';
  const ids = [subject.agentId && `agent ${subject.agentId}`, subject.instanceId].filter(Boolean).join(', ');
  return `${of}${subject.message}${ids && ` (${ids})`} ${subject.at}`;
}

export function moreText({ more }: NotificationMessage): string[] {
  if (more.groups === 0) return [];
  return [`And ${more.groups} more kinds of events, ${more.events} in all; the list of events has them.`];
}
