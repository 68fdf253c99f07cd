/**
 * The address that instances are told to call: a port that stays the same for as long as there are instances, passing
 * every connection on to wherever the API listens in this start.
 */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

export class AgentsDoor {
  readonly url: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(port: number, server: Server) {
    this.url = `http://127.0.0.1:${port}`;
    this.#server = server;
  }

  /** @throws Error if the port can't be listened on. */
  static async open(port: number, apiPort: number): Promise<AgentsDoor> {
    const server = createServer({ noDelay: true });
    const door = new AgentsDoor(port, server);
    server.on('connection', (agent) =>
      door.#pass(agent, connect({ port: apiPort, host: '127.0.0.1', noDelay: true })),
    );
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return door;
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #pass(agent: Socket, api: Socket): void {
    for (const [socket, other] of [
      [agent, api],
      [api, agent],
    ] as const) {
      this.#sockets.add(socket);
      socket.pipe(other);
      // A broken side ends the other, which then sees what it would without us between.
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroySoon();
      });
    }
  }
}
