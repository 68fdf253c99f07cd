/**
 * The cloud's books: all that it knows, in memory, with every change in the journal.
 *
 * A change is visible at once and durable when `durable()` resolves: whoever answers for it, or acts on it outside,
 * waits for that.
 */
import type { Shelf, Shelves } from './entities';
import { Journal } from './journal';
import type { Line, Put } from './journal';

/** One change: a shelf, an id, and the new value, or null to remove. */
export type BooksPut = { [S in Shelf]: readonly [shelf: S, id: string, value: Shelves[S] | null] }[Shelf];

const SHELVES: readonly Shelf[] = [
  'instance',
  'image',
  'volume',
  'snapshot',
  'spotRequest',
  'launchTemplate',
  'fleet',
  'limit',
  'token',
  'pool',
  'machine',
  'identity',
  'ports',
  'anchors',
  'role',
  'permission',
  'bucket',
  'throttling',
  'delay',
  'fault',
  'metadataFault',
  'tokenEpoch',
  'signingKey',
];

export class Books {
  readonly #shelves: { readonly [S in Shelf]: Map<string, Shelves[S]> } = {
    instance: new Map(),
    image: new Map(),
    volume: new Map(),
    snapshot: new Map(),
    spotRequest: new Map(),
    launchTemplate: new Map(),
    fleet: new Map(),
    limit: new Map(),
    token: new Map(),
    pool: new Map(),
    machine: new Map(),
    identity: new Map(),
    ports: new Map(),
    anchors: new Map(),
    role: new Map(),
    permission: new Map(),
    bucket: new Map(),
    throttling: new Map(),
    delay: new Map(),
    fault: new Map(),
    metadataFault: new Map(),
    tokenEpoch: new Map(),
    signingKey: new Map(),
  };
  #journal: Journal | null = null;
  #position = 0;

  /**
   * Reads what the folder holds. Nothing is written before `open`.
   * @throws Error, one sentence, when the journal is damaged.
   */
  constructor(readonly folder: string) {
    for (const line of Journal.read(folder)) {
      this.#position = Math.max(this.#position, line.at);
      for (const [shelf, id, value] of line.puts ?? []) this.#place(shelf as Shelf, id, value);
    }
  }

  /** Begins to write. `onFailure` hears that the disk refused: the process must stop then. */
  async open(onFailure: (error: Error) => void): Promise<void> {
    this.#journal = await Journal.start(this.folder, () => this.#snapshot(), onFailure);
  }

  /** The latest cloud second that was written down. */
  get position(): number {
    return this.#position;
  }

  all<S extends Shelf>(shelf: S): Shelves[S][] {
    return [...this.#shelves[shelf].values()];
  }

  /** Ids and what stands under them. */
  entries<S extends Shelf>(shelf: S): [id: string, value: Shelves[S]][] {
    return [...this.#shelves[shelf]];
  }

  get<S extends Shelf>(shelf: S, id: string): Shelves[S] | undefined {
    return this.#shelves[shelf].get(id);
  }

  /** One transaction: all of it or, after a kill, none. A null value removes. */
  commit(at: number, puts: readonly BooksPut[]): void {
    for (const [shelf, id, value] of puts) this.#place(shelf, id, value);
    this.#write({ at, puts: puts as readonly Put[] }, true);
  }

  /** Writes down how far the cloud's time has come. */
  keepTime(at: number): void {
    if (at > this.#position) this.#write({ at }, false);
  }

  async durable(): Promise<void> {
    await this.#journal?.settled();
  }

  async close(): Promise<void> {
    await this.#journal?.close();
  }

  #write(line: Line, durable: boolean): void {
    if (this.#journal === null) throw new Error('The books were changed before they were opened.');
    this.#position = Math.max(this.#position, line.at);
    this.#journal.append(line, durable);
  }

  #place(shelf: Shelf, id: string, value: unknown): void {
    const entries = this.#shelves[shelf] as Map<string, unknown>;
    if (value === null) entries.delete(id);
    else entries.set(id, value);
  }

  #snapshot(): Line {
    const puts = SHELVES.flatMap((shelf) =>
      [...this.#shelves[shelf]].map(([id, value]): Put => [shelf, id, value]),
    );
    return { at: this.#position, puts };
  }
}
