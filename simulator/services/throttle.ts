/**
 * How many calls of an action are taken: token buckets, one an action and region.
 *
 * T1 a bucket begins full, loses a token with each call, gets `refill` back each second of real time (with a paused
 *    clock: as it is moved on), and never holds more than its capacity. Below one token a call is refused.
 * T2 what the control API sets for an action holds; without it EC2's documented sizes do while `documented` is on, and
 *    else nothing is limited.
 * The sizes are kept in the books, the levels are not: after a restart every bucket is full.
 */
import type { Books } from '../books/books';
import type { BucketSize } from '../books/settings';

/** What a call draws: from which buckets of the documented kind, and how much. */
export interface Draw {
  /** `request` counts calls, `resource` the things that one call is about. */
  readonly kind: BucketKind;
  readonly tokens: number;
  /** The documented size; null where there is none. */
  readonly documented: BucketSize | null;
  /** Tells apart buckets that one action has several of. */
  readonly variant?: string;
}
export const BUCKET_KINDS = ['request', 'resource'] as const;
export type BucketKind = (typeof BUCKET_KINDS)[number];

interface Level {
  tokens: number;
  /** Real seconds. */
  at: number;
}

export class Throttle {
  readonly #levels = new Map<string, Level>();

  /**
   * @param seconds real seconds that have passed.
   * @param usually whether the documented sizes hold while the control API hasn't said.
   */
  constructor(
    private readonly books: Books,
    private readonly seconds: () => number,
    private readonly usually: boolean,
  ) {}

  get documented(): boolean {
    return this.books.get('throttling', 'documented') ?? this.usually;
  }

  set documented(on: boolean) {
    this.books.commit(this.books.position, [['throttling', 'documented', on]]);
  }

  /** @param action `ec2:RunInstances`, or `*`. Null lets the documented size hold again. */
  set(kind: BucketKind, action: string, size: BucketSize | null): void {
    this.books.commit(this.books.position, [['bucket', `${kind} ${action}`, size]]);
    for (const name of this.#levels.keys()) {
      if (action === '*' || name.startsWith(`${kind} ${action} `)) this.#levels.delete(name);
    }
  }

  clear(): void {
    const sizes = this.books.entries('bucket').map(([id]) => id);
    this.books.commit(
      this.books.position,
      sizes.map((id) => ['bucket', id, null]),
    );
    this.#levels.clear();
  }

  /** What the control API has set. */
  list(): { kind: string; action: string; size: BucketSize }[] {
    return this.books.entries('bucket').map(([id, size]) => {
      const [kind = '', action = ''] = id.split(' ');
      return { kind, action, size };
    });
  }

  /** Takes a call's tokens out of all its buckets, or none out of any. Returns whether they were there. */
  take(action: string, region: string, draws: readonly Draw[]): boolean {
    const buckets = draws.flatMap(({ kind, tokens, documented, variant = '' }) => {
      const size = this.#setSize(kind, action) ?? (this.documented ? documented : null);
      return size
        ? [{ size, tokens, level: this.#level(`${kind} ${action} ${region} ${variant}`, size) }]
        : [];
    });
    if (buckets.some(({ level, tokens }) => level.tokens < tokens)) return false;
    for (const { level, tokens } of buckets) level.tokens -= tokens;
    return true;
  }

  #setSize(kind: BucketKind, action: string): BucketSize | undefined {
    return this.books.get('bucket', `${kind} ${action}`) ?? this.books.get('bucket', `${kind} *`);
  }

  #level(name: string, { capacity, refill }: BucketSize): Level {
    const now = this.seconds();
    const known = this.#levels.get(name) ?? { tokens: capacity, at: now };
    const level = { tokens: Math.min(capacity, known.tokens + (now - known.at) * refill), at: now };
    this.#levels.set(name, level);
    return level;
  }
}
