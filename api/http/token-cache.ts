/**
 * Who holds a token, remembered. Tokens are known by their hashes, so how long a look takes says nothing about any.
 *
 * Invariants:
 *   T1  a revoked token is forgotten as soon as the database announces it;
 *   T2  while that can't be heard, what is remembered is forgotten, and new knowledge is kept for a moment only;
 *   T3  what was looked up while a revocation arrived is not remembered: it may be older than that;
 *   T4  as many are remembered as there is room for, and unknown tokens take none of the room of good ones.
 */
import { type TokenHolder, tokenHash } from '../../db/tokens';

export interface TokenCacheOptions {
  /** Rejects when the database is away. */
  find: (hash: string) => Promise<TokenHolder | null>;
  now?: () => number;
  /** Good tokens that are remembered. */
  room?: number;
}

/** While revocations are heard; an end to it all the same, for what nobody foresaw. */
const HEARD_MS = 5 * 60_000;
const UNHEARD_MS = 3_000;
/** A sender with a wrong token tries again and again. */
const UNKNOWN_MS = 5_000;
const ROOM = 200_000;
const UNKNOWN_ROOM = 10_000;

interface LookUp {
  found: Promise<TokenHolder | null>;
  /** A revocation arrived meanwhile. */
  doubtful: boolean;
}

export class TokenCache {
  readonly #find: (hash: string) => Promise<TokenHolder | null>;
  readonly #now: () => number;
  readonly #good: Remembered<TokenHolder>;
  readonly #unknown = new Remembered<true>(UNKNOWN_ROOM);
  readonly #lookUps = new Map<string, LookUp>();
  #heard = false;

  constructor({ find, now = Date.now, room = ROOM }: TokenCacheOptions) {
    this.#find = find;
    this.#now = now;
    this.#good = new Remembered(room);
  }

  /** Null for a token that is unknown or revoked. At once when it is remembered. */
  holder(token: string): TokenHolder | null | Promise<TokenHolder | null> {
    return this.holderByHash(tokenHash(token));
  }

  /** The same of a token whose hash is known. */
  holderByHash(hash: string): TokenHolder | null | Promise<TokenHolder | null> {
    const nowMs = this.#now();
    const known = this.#good.get(hash, nowMs);
    if (known !== undefined) return known;
    if (this.#unknown.get(hash, nowMs) !== undefined) return null;
    return (this.#lookUps.get(hash) ?? this.#lookUp(hash)).found;
  }

  /** Whether what is remembered is as good as what would be looked up. */
  get hears(): boolean {
    return this.#heard;
  }

  /** Revocations are heard from now on. */
  heard(): void {
    this.#forgetAll();
    this.#heard = true;
  }

  /** They aren't, for a time. */
  lost(): void {
    this.#heard = false;
    this.#forgetAll();
  }

  revoked(hash: string): void {
    this.#good.delete(hash);
    this.#doubt(hash);
  }

  #forgetAll(): void {
    this.#good.clear();
    for (const hash of [...this.#lookUps.keys()]) this.#doubt(hash);
  }

  /** Whoever asks from now on has it looked up anew. */
  #doubt(hash: string): void {
    const lookUp = this.#lookUps.get(hash);
    if (lookUp) lookUp.doubtful = true;
    this.#lookUps.delete(hash);
  }

  #lookUp(hash: string): LookUp {
    const lookUp: LookUp = { doubtful: false, found: Promise.resolve(null) };
    lookUp.found = this.#find(hash)
      .then((holder) => {
        if (!lookUp.doubtful) this.#remember(hash, holder);
        return holder;
      })
      .finally(() => {
        if (!lookUp.doubtful) this.#lookUps.delete(hash);
      });
    this.#lookUps.set(hash, lookUp);
    return lookUp;
  }

  #remember(hash: string, holder: TokenHolder | null): void {
    const nowMs = this.#now();
    if (holder === null) this.#unknown.set(hash, true, nowMs + UNKNOWN_MS);
    else this.#good.set(hash, holder, nowMs + (this.#heard ? HEARD_MS : UNHEARD_MS));
  }
}

/** A map with room for so many, each for a time; when it is full the oldest goes. */
class Remembered<T> {
  readonly #entries = new Map<string, { value: T; untilMs: number }>();

  constructor(private readonly room: number) {}

  get(key: string, nowMs: number): T | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.untilMs > nowMs) return entry.value;
    this.#entries.delete(key);
    return undefined;
  }

  set(key: string, value: T, untilMs: number): void {
    if (this.#entries.size >= this.room) {
      const [oldest] = this.#entries.keys();
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
    this.#entries.set(key, { value, untilMs });
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }
}
