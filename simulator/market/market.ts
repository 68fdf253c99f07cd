/**
 * The spot market: what each pool's availability and price is at a moment.
 *
 * Moments are market seconds since the market was opened, counted by the caller: the market has no clock and no state.
 * A pool here is an instance type in a zone; its on-demand twin shares the record. A market that has come to its end
 * starts over.
 */
import type { RunLengths } from './run-lengths';

export interface PoolRecord {
  readonly region: string;
  readonly zone: string;
  readonly instanceType: string;
  /** Market seconds a tick. */
  readonly gapSeconds: number;
  /** US dollars an hour. */
  readonly onDemandPrice: number;
  readonly available: RunLengths<boolean>;
  /** US dollars an hour. */
  readonly spotPrice: RunLengths<number>;
}

export interface PriceChange {
  readonly at: number;
  readonly price: number;
}

export function poolName(zone: string, instanceType: string): string {
  return `${zone}/${instanceType}`;
}

export class Market {
  readonly #pools: ReadonlyMap<string, PoolRecord>;
  readonly #startTick: number;

  /**
   * @param name says which market this is, over restarts.
   * @param startTick the tick of the records at which the market opens.
   */
  constructor(
    readonly name: string,
    pools: readonly PoolRecord[],
    startTick = 0,
  ) {
    this.#pools = new Map(pools.map((pool) => [poolName(pool.zone, pool.instanceType), pool]));
    this.#startTick = startTick;
  }

  pools(region?: string): PoolRecord[] {
    return [...this.#pools.values()].filter((pool) => region === undefined || pool.region === region);
  }

  pool(zone: string, instanceType: string): PoolRecord | undefined {
    return this.#pools.get(poolName(zone, instanceType));
  }

  regions(): string[] {
    return [...new Set(this.pools().map((pool) => pool.region))].sort();
  }

  zones(region: string): string[] {
    return [...new Set(this.pools(region).map((pool) => pool.zone))].sort();
  }

  instanceTypes(region?: string): string[] {
    return [...new Set(this.pools(region).map((pool) => pool.instanceType))].sort();
  }

  isAvailable(pool: PoolRecord, at: number): boolean {
    return pool.available.at(this.#tickAt(pool, at));
  }

  spotPrice(pool: PoolRecord, at: number): number {
    return pool.spotPrice.at(this.#tickAt(pool, at));
  }

  /** The first moment after `at` at which a pool's spot price changes; Infinity when it never does. */
  nextPriceChange(pool: PoolRecord, at: number): number {
    return this.#momentOf(pool, pool.spotPrice.nextChange(this.#tickAt(pool, at)));
  }

  /** The first moment after `at` at which some pool comes or goes; Infinity when none ever does. */
  nextAvailabilityChange(at: number): number {
    let next = Infinity;
    for (const pool of this.#pools.values()) {
      const change = pool.available.nextChange(this.#tickAt(pool, at));
      next = Math.min(next, this.#momentOf(pool, change));
    }
    return next;
  }

  /**
   * The price in force at `from` and each change until `to` (inclusive), oldest first. Before the first tick of the
   * records the first price is taken to have held.
   */
  priceChanges(pool: PoolRecord, from: number, to: number): PriceChange[] {
    const earliest = this.#momentOf(pool, 0);
    let tick = pool.spotPrice.beganAt(this.#tickAt(pool, Math.max(from, earliest)));
    const changes: PriceChange[] = [];
    while (this.#momentOf(pool, tick) <= to || changes.length === 0) {
      changes.push({ at: this.#momentOf(pool, tick), price: pool.spotPrice.at(tick) });
      tick = pool.spotPrice.nextChange(tick);
      if (tick === Infinity) break;
    }
    return changes;
  }

  #tickAt(pool: PoolRecord, at: number): number {
    return Math.max(0, this.#startTick + Math.floor(at / pool.gapSeconds));
  }

  #momentOf(pool: PoolRecord, tick: number): number {
    return (tick - this.#startTick) * pool.gapSeconds;
  }
}
