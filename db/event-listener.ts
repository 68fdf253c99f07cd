/** Hears of new system events as they are committed. */
import { listen, type Listening } from './announcements';

export interface AnnouncedEvent {
  id: string;
  clientId: string;
}

/**
 * @param onEvent each new event.
 * @param onGap after a time without connection: events may have been missed.
 * @param onOutage the connection broke or can't be made; it is tried again.
 */
export function listenForEvents(
  url: string,
  {
    onEvent,
    onGap,
    onOutage,
  }: { onEvent: (event: AnnouncedEvent) => void; onGap: () => void; onOutage: (error: unknown) => void },
): Listening {
  return listen(url, {
    role: 'spotkeeper_api',
    channel: 'system_events',
    onPayload(payload) {
      const announced = JSON.parse(payload) as { id: string; client_id: string };
      onEvent({ id: announced.id, clientId: announced.client_id });
    },
    onHeard: onGap,
    onLost: onOutage,
  });
}
