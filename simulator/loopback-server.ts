/** An HTTP server on 127.0.0.1, on the wished port if it is free and else on any. */
import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface LoopbackServer {
  readonly port: number;
  readonly url: string;
  /** Cuts what is open, too. */
  close(): Promise<void>;
}

const HOST = '127.0.0.1';

/**
 * @param wished null takes any port.
 * @param strict whether a wished port that is taken is an error rather than another port.
 * @throws Error, the system's, when nothing can be listened on.
 */
export async function listenOnLoopback(
  wished: number | null,
  listener: RequestListener,
  strict = false,
): Promise<LoopbackServer> {
  const server = createServer({ keepAliveTimeout: 60_000 }, listener);
  try {
    await listen(server, wished ?? 0);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (strict || wished === null || (code !== 'EADDRINUSE' && code !== 'EACCES')) throw error;
    await listen(server, 0);
  }
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://${HOST}:${port}`,
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => (error ? reject(error) : resolve()));
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, HOST, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
