/** Finds ports that nothing listens on. */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * The first port from `preferred` on that can be listened on, skipping those in `except`. 0 asks for any.
 * @throws Error if none of the next 200 is free.
 */
export async function firstFreePort(
  preferred: number,
  except: ReadonlySet<number> = new Set(),
): Promise<number> {
  if (preferred === 0) return anyFreePort();
  for (let port = preferred; port < Math.min(preferred + 200, 65_536); port++) {
    if (!except.has(port) && (await canListen(port))) return port;
  }
  throw new Error(
    `No port between ${preferred} and ${preferred + 199} is free on 127.0.0.1. Free one and start again.`,
  );
}

async function canListen(port: number): Promise<boolean> {
  // Another program may hold the port on all interfaces without 127.0.0.1 refusing it, so both are tried.
  for (const host of ['127.0.0.1', '0.0.0.0']) {
    const server = createServer();
    try {
      server.listen(port, host);
      await once(server, 'listening');
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'EADDRINUSE' || code === 'EACCES') return false;
      throw error;
    } finally {
      if (server.listening) {
        server.close();
        await once(server, 'close');
      }
    }
  }
  return true;
}

/**
 * Any port that is free. Not one of those that the system gives to connections and to servers that ask for any: such a
 * one can be taken again between this look and its use.
 */
export function anyFreePort(): Promise<number> {
  return firstFreePort(randomInt(10_000, 29_000));
}
