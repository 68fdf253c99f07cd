/** Which part listens where. A port once chosen is kept in `ports.json` and asked for again at the next start. */
import { randomInt } from 'node:crypto';
import { firstFreePort } from '../parts/free-port';
import type { StateFolder } from './state-folder';

const DEFAULTS = { api: 8400, temporal: 7233, temporalUi: 8233, database: 15432, cloud: 8480 };
const NAMES: Record<keyof typeof DEFAULTS, string> = {
  api: 'the API',
  temporal: 'the Temporal server',
  temporalUi: 'the Temporal Web UI',
  database: 'the database',
  cloud: 'the simulated cloud',
};

export type PortName = keyof typeof DEFAULTS;

const FILE = 'ports.json';

export class Ports {
  readonly #state: StateFolder;
  readonly #say: (line: string) => void;
  readonly #taken = new Set<number>();
  /** One choice at a time, so that no two parts get one port. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(state: StateFolder, say: (line: string) => void) {
    this.#state = state;
    this.#say = say;
  }

  /**
   * The part's port: the one it had, or the next free one, which is said. To be asked for right before it is listened
   * on, since nobody keeps it free meanwhile.
   */
  take(part: PortName): Promise<number> {
    return this.#inTurn(async () => {
      const preferred = this.#kept()[part] ?? DEFAULTS[part];
      const port = await firstFreePort(preferred, this.#taken);
      if (port !== preferred) this.#say(`Port ${preferred} is taken, so ${NAMES[part]} moves to ${port}.`);
      return this.#keep(part, port);
    });
  }

  /**
   * Where instances reach the API. They are told it once, at their launch, so it doesn't move while there are any.
   * @throws Error if it would have to.
   */
  takeForAgents(hasInstances: boolean): Promise<number> {
    return this.#inTurn(async () => {
      // Outside the ranges of well-known services and of the system's own choosing.
      const preferred = this.#kept().agents ?? randomInt(20_000, 30_000);
      const port = await firstFreePort(preferred, this.#taken);
      if (hasInstances && port !== preferred) {
        throw new Error(
          `Port ${preferred} on 127.0.0.1 is taken by another program. The demo's instances were told at their launch to call the API ` +
            'there, so it cannot move. End the program that took it, or start over with --fresh.',
        );
      }
      return this.#keep('agents', port);
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work);
    this.#last = mine.catch(() => undefined); // Told to the caller; the next one's turn comes all the same.
    return mine;
  }

  #kept(): Partial<Record<PortName | 'agents', number>> {
    return this.#state.read(FILE) ?? {};
  }

  #keep(name: PortName | 'agents', port: number): number {
    this.#taken.add(port);
    this.#state.write(FILE, { ...this.#kept(), [name]: port });
    return port;
  }
}
