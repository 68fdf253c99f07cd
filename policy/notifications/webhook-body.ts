/** A message as our own webhooks carry it, and its signature. docs/notifications.md shows how a receiver checks it. */
import { createHmac } from 'node:crypto';
import type { NotificationMessage } from '../../contracts/notifications';

/** One JSON text; a repeat of the delivery has the same. */
export function webhookBody(deliveryId: string, message: NotificationMessage): string {
  return JSON.stringify({
    id: deliveryId,
    type: message.kind === 'test' ? 'test' : 'notification',
    created_at: message.createdAt,
    severity: message.severity,
    client_id: message.clientId,
    title: message.title,
    notifications: message.groups.map((group) => ({
      id: group.notificationId,
      event_type: group.eventType,
      severity: group.severity,
      zone: group.zone,
      region: group.region,
      headline: group.headline,
      update: group.update,
      event_count: group.events,
      event_count_in_all: group.eventsInAll,
      since: group.since,
      events: group.subjects.map((subject) => ({
        id: subject.eventId,
        event_type: subject.eventType,
        created_at: subject.at,
        client_id: subject.clientId,
        agent_id: subject.agentId,
        logical_agent_id: subject.logicalAgentId,
        instance_id: subject.instanceId,
        message: subject.message,
      })),
      more_events: group.moreSubjects,
      system_does: group.systemDoes,
      person_can: group.personCan,
    })),
    more: message.more,
    links: message.links,
  });
}

/**
 * The header `Spotkeeper-Signature`.
 * @param at seconds since the epoch, at this attempt; the receiver refuses what is too old.
 */
export function webhookSignature(secret: string, at: number, body: string): string {
  return `t=${at},v1=${createHmac('sha256', secret).update(`${at}.${body}`).digest('hex')}`;
}
