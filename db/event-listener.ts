/** Hears of new system events as they are committed, by LISTEN on a connection of its own. */
import { Client } from 'pg';

export interface AnnouncedEvent {
  id: string;
  clientId: string;
}

export interface EventListener {
  close(): Promise<void>;
}

const RECONNECT_MS = 1_000;

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
): EventListener {
  let closed = false;
  let client: Client | null = null;
  let wake: () => void = () => undefined;

  async function listen(): Promise<void> {
    const connection = new Client({
      connectionString: url,
      options: '-c role=spotkeeper_api',
      application_name: 'spotkeeper-events',
      connectionTimeoutMillis: 10_000,
      keepAlive: true,
    });
    client = connection;
    const ended = new Promise<void>((resolve, reject) => {
      // A connection that breaks may say so twice.
      connection.on('error', reject);
      connection.once('end', resolve);
    });
    connection.on('notification', ({ payload }) => {
      const announced = JSON.parse(payload ?? '{}') as { id: string; client_id: string };
      onEvent({ id: announced.id, clientId: announced.client_id });
    });
    try {
      await Promise.race([connection.connect(), ended]);
      await connection.query('listen system_events');
      onGap();
      await ended;
    } finally {
      // A connection that broke can't be ended any more.
      await connection.end().catch(() => undefined);
      client = null;
    }
  }

  const running = (async () => {
    while (!closed) {
      try {
        await listen();
      } catch (error) {
        if (!closed) onOutage(error);
      }
      if (closed) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, RECONNECT_MS);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  })();

  return {
    async close() {
      closed = true;
      wake();
      await client?.end().catch(() => undefined);
      await running;
    },
  };
}
