/**
 * Whether a pool has capacity: what the control API holds it at, else on-demand always and spot as the market says.
 * Remembers how it last saw each spot pool, to tell which came and went.
 */
import type { Books } from '../books/books';
import type { PurchaseOption } from '../books/entities';
import { poolName } from './market';
import type { Market, PoolRecord } from './market';

export interface PoolChange {
  readonly pool: PoolRecord;
  readonly available: boolean;
}

export class Capacity {
  readonly #books: Books;
  readonly #market: Market;
  readonly #seen = new Map<PoolRecord, boolean>();
  #nextChange = Infinity;

  constructor(books: Books, market: Market) {
    this.#books = books;
    this.#market = market;
  }

  isAvailable(pool: PoolRecord, option: PurchaseOption, at: number): boolean {
    const held = this.#books.get('pool', holdName(pool, option));
    if (held) return held.available;
    return option === 'ondemand' || this.#market.isAvailable(pool, at);
  }

  /** Holds pools at one state whatever the market says, or (null) lets the market say again. */
  hold(pools: readonly PoolRecord[], option: PurchaseOption, available: boolean | null, at: number): void {
    const held = available === null ? null : { available };
    this.#books.commit(
      at,
      pools.map((pool) => ['pool', holdName(pool, option), held]),
    );
  }

  /** When the market changes next, as of the last look. */
  nextDue(): number {
    return this.#nextChange;
  }

  /** The spot pools that came or went since the last look; none at the first. */
  look(at: number): PoolChange[] {
    const changes: PoolChange[] = [];
    this.#nextChange = this.#market.nextAvailabilityChange(at);
    for (const pool of this.#market.pools()) {
      const available = this.isAvailable(pool, 'spot', at);
      const before = this.#seen.get(pool);
      if (before !== undefined && before !== available) changes.push({ pool, available });
      this.#seen.set(pool, available);
    }
    return changes;
  }
}

function holdName(pool: PoolRecord, option: PurchaseOption): string {
  return `${option}/${poolName(pool.zone, pool.instanceType)}`;
}
