/**
 * A numbered record of what happened, that can be read, waited on and followed. In memory: the newest 20,000 entries or
 * more, and fewer when they are so large that they would fill it.
 */

export interface Entry {
  readonly kind: string;
  readonly [field: string]: unknown;
}
export type Numbered<E> = E & { readonly number: number; readonly time: string };

const KEPT = 20_000;
const KEPT_CHARACTERS = 64 * 1024 * 1024;

export class Log<E extends Entry> {
  /** Their numbers follow each other without a gap. */
  #entries: Numbered<E>[] = [];
  #characters = 0;
  #last = 0;
  readonly #followers = new Set<(entry: Numbered<E>) => void>();

  /** The number of the newest entry; 0 when there is none. */
  get last(): number {
    return this.#last;
  }

  append(entry: E): Numbered<E> {
    const numbered = { ...entry, number: ++this.#last, time: new Date().toISOString() };
    this.#entries.push(numbered);
    this.#characters += size(numbered);
    if (this.#entries.length > 2 * KEPT) this.#forget(this.#entries.length - KEPT);
    if (this.#characters > KEPT_CHARACTERS) this.#forget(Math.ceil(this.#entries.length / 2));
    this.#tell(numbered);
    return numbered;
  }

  /** Replaces fields of an entry that is still kept, and tells the followers again. */
  amend(number: number, change: Partial<E>): void {
    const index = number - (this.#entries[0]?.number ?? 0);
    const entry = this.#entries[index];
    if (!entry) return;
    const amended = { ...entry, ...change };
    this.#entries[index] = amended;
    this.#characters += size(amended) - size(entry);
    this.#tell(amended);
  }

  /** Entries newer than a number, oldest first. */
  after(number: number, matches: (entry: Numbered<E>) => boolean = () => true): Numbered<E>[] {
    const first = this.#entries[0]?.number ?? 0;
    return this.#entries.slice(Math.max(0, number - first + 1)).filter(matches);
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

  #forget(count: number): void {
    for (const entry of this.#entries.slice(0, count)) this.#characters -= size(entry);
    this.#entries = this.#entries.slice(count);
  }

  #tell(entry: Numbered<E>): void {
    for (const follower of this.#followers) follower(entry);
  }
}

/** Of an entry's texts, those one step inside it included; about what it takes to keep it. */
function size(entry: Entry): number {
  let characters = 0;
  for (const value of Object.values(entry)) {
    if (typeof value === 'string') characters += value.length;
    else if (typeof value === 'object' && value !== null) {
      for (const [key, inner] of Object.entries(value)) {
        characters += key.length + (typeof inner === 'string' ? inner.length : 0);
      }
    }
  }
  return characters;
}

export class EventLog extends Log<Entry> {}
