/** Hears what the database announces by NOTIFY, on a connection of its own, for as long as there is one. */
import { Socket } from 'node:net';
import { Client } from 'pg';
import type { DatabaseRole } from './connect';

export interface Listening {
  close(): Promise<void>;
}

export interface Announcements {
  role: DatabaseRole;
  channel: string;
  onPayload: (payload: string) => void;
  /** From now on all is heard; what came before may have been missed. */
  onHeard: () => void;
  /** Nothing is heard until `onHeard`; it is tried again. */
  onLost: (error: unknown) => void;
}

const RECONNECT_MS = 1_000;
/** A connection whose other end is gone says nothing of it: it is asked now and then, and has so long to answer. */
const ASK_EVERY_MS = 5_000;
const ANSWER_MS = 3_000;

export function listen(url: string, { role, channel, onPayload, onHeard, onLost }: Announcements): Listening {
  let closed = false;
  let socket: Socket | null = null;
  let wake: () => void = () => undefined;

  function pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Rejects when the connection is lost; returns only when closed. */
  async function hear(): Promise<void> {
    const connection = new Client({
      connectionString: url,
      options: `-c role=${role}`,
      application_name: `spotkeeper-${channel.replaceAll('_', '-')}`,
      connectionTimeoutMillis: 10_000,
      query_timeout: ANSWER_MS,
      keepAlive: true,
      stream: () => (socket = new Socket()),
    });
    const lost = new Promise<never>((_resolve, reject) => {
      // A connection that breaks may say so twice.
      connection.on('error', reject);
      connection.once('end', () =>
        reject(new Error(`The connection that listens to ${channel} was closed.`)),
      );
    });
    connection.on('notification', ({ payload }) => onPayload(payload ?? ''));
    try {
      await Promise.race([connection.connect(), lost]);
      await Promise.race([connection.query(`listen ${channel}`), lost]);
      onHeard();
      while (!closed) {
        await Promise.race([pause(ASK_EVERY_MS), lost]);
        await Promise.race([connection.query('select 1'), lost]);
      }
    } finally {
      wake(); // Ends the pause.
      (socket as Socket | null)?.destroy(); // Not `end()`, which waits for a server that may be gone.
    }
  }

  const running = (async () => {
    while (!closed) {
      try {
        await hear();
      } catch (error) {
        if (!closed) onLost(error);
      }
      if (!closed) await pause(RECONNECT_MS);
    }
  })();

  return {
    async close() {
      closed = true;
      wake();
      (socket as Socket | null)?.destroy();
      await running;
    },
  };
}
