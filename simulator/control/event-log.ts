/** A numbered record of what happened, that can be read, waited on and followed. In memory, the newest 20,000. */

export interface Entry {
  readonly kind: string;
  readonly [field: string]: unknown;
}
export type Numbered<E> = E & { readonly number: number; readonly time: string };

const KEPT = 20_000;

export class Log<E extends Entry> {
  #entries: Numbered<E>[] = [];
  #last = 0;
  readonly #followers = new Set<(entry: Numbered<E>) => void>();

  /** The number of the newest entry; 0 when there is none. */
  get last(): number {
    return this.#last;
  }

  append(entry: E): Numbered<E> {
    const numbered = { ...entry, number: ++this.#last, time: new Date().toISOString() };
    this.#entries.push(numbered);
    if (this.#entries.length > 2 * KEPT) this.#entries = this.#entries.slice(-KEPT);
    this.#tell(numbered);
    return numbered;
  }

  /** Replaces fields of an entry that is still kept, and tells the followers again. */
  amend(number: number, change: Partial<E>): void {
    const index = this.#entries.findIndex((entry) => entry.number === number);
    const entry = this.#entries[index];
    if (!entry) return;
    const amended = { ...entry, ...change };
    this.#entries[index] = amended;
    this.#tell(amended);
  }

  /** Entries newer than a number, oldest first. */
  after(number: number, matches: (entry: Numbered<E>) => boolean = () => true): Numbered<E>[] {
    return this.#entries.filter((entry) => entry.number > number && matches(entry));
  }

  /** Calls for each entry to come, and each amended. Returns how to stop. */
  follow(follower: (entry: Numbered<E>) => void): () => void {
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }

  /** The first entry newer than `number` that matches, as soon as there is one; null after the time-out or abort. */
  async wait(
    number: number,
    matches: (entry: Numbered<E>) => boolean,
    timeoutMilliseconds: number,
    signal?: AbortSignal,
  ): Promise<Numbered<E> | null> {
    const known = this.after(number, matches)[0];
    if (known) return known;
    return new Promise((resolve) => {
      const done = (entry: Numbered<E> | null) => {
        clearTimeout(timer);
        stop();
        signal?.removeEventListener('abort', abort);
        resolve(entry);
      };
      const abort = () => done(null);
      const stop = this.follow((entry) => {
        if (entry.number > number && matches(entry)) done(entry);
      });
      const timer = setTimeout(abort, timeoutMilliseconds);
      signal?.addEventListener('abort', abort);
    });
  }

  #tell(entry: Numbered<E>): void {
    for (const follower of this.#followers) follower(entry);
  }
}

export class EventLog extends Log<Entry> {}
