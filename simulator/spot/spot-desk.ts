/**
 * Who fulfils spot requests: open ones get an instance when the market has one for them, those that EC2 stopped are started
 * again, and instances whose maximum price is passed are taken.
 */
import type { Books } from '../books/books';
import type { Instance, SpotRequest } from '../books/entities';
import type { EventLog } from '../control/event-log';
import { DueTimes } from '../due-times';
import { baseImageId } from '../ec2/image-catalog';
import type { Instances } from '../instances/instances';
import { NOTICE_SECONDS } from '../instances/lifecycle';
import { anotherOf } from '../instances/new-instance';
import type { Ask, Shortage } from '../instances/room';
import { poolName } from '../market/market';
import type { Market, PoolRecord } from '../market/market';
import { imageState } from '../storage/states';
import { cancel, expire, isLive, isWaiting, nextRequestChange, withInstance } from './request-life';
import { inStatus } from './request-status';

export interface SpotDeskParts {
  readonly books: Books;
  readonly events: EventLog;
  readonly market: Market;
  readonly instances: Instances;
  readonly findRoom: (ask: Ask) => number | Shortage;
  readonly draw: (duration: 'boot' | 'consistency') => number;
}

const PRICE = 'price/';

export class SpotDesk {
  readonly #parts: SpotDeskParts;
  /** Of requests, and of the prices of pools in which someone has a maximum. */
  readonly #due = new DueTimes();
  /** Open without an instance, or stopped by EC2. */
  readonly #waiting = new Set<string>();
  /** By pool, those with a maximum price. */
  readonly #priced = new Map<string, Set<string>>();

  constructor(parts: SpotDeskParts) {
    this.#parts = parts;
    for (const request of parts.books.all('spotRequest')) this.#track(request, parts.books.position);
  }

  nextDue(): number {
    return this.#due.next();
  }

  settle(now: number): void {
    for (const id of this.#due.take(now)) {
      if (id.startsWith(PRICE)) this.#priceChanged(id.slice(PRICE.length), now);
      else this.#requestDue(id, now);
    }
  }

  /** Tries all that wait: there may be room now. */
  evaluateWaiting(now: number): void {
    for (const id of this.#waiting) {
      const request = this.#get(id);
      if (request && request.status.code !== 'pending-evaluation') this.#evaluate(request, now);
    }
  }

  /** A running instance goes on; a stopped one is terminated. Returns the requests as they are then. */
  cancel(
    requests: readonly SpotRequest[],
    endStopped: (instance: Instance) => void,
    now: number,
  ): SpotRequest[] {
    return requests.map((request) => {
      const instance = this.#instanceOf(request);
      const cancelled = cancel(request, instance, now);
      if (cancelled === request) return request;
      this.#keep(cancelled, now);
      if (instance?.state === 'stopping' || instance?.state === 'stopped') endStopped(instance);
      return cancelled;
    });
  }

  /** Follows a request that the books have got. */
  changed(request: SpotRequest, now: number): void {
    this.#track(request, now);
    this.#parts.events.append({
      kind: 'spot-request-changed',
      spot_request_id: request.id,
      state: request.state,
      status: request.status.code,
    });
  }

  #track(request: SpotRequest, now: number): void {
    const { id } = request;
    this.#due.set(id, nextRequestChange(request));
    if (isWaiting(request)) this.#waiting.add(id);
    else this.#waiting.delete(id);
    if (request.maxPrice === null) return;
    const { zone, instanceType } = request.template;
    const pool = poolName(zone, instanceType);
    const priced = this.#priced.get(pool) ?? new Set();
    if (isLive(request)) priced.add(id);
    else priced.delete(id);
    this.#priced.set(pool, priced);
    this.#watchPrice(pool, now);
  }

  #requestDue(id: string, now: number): void {
    const request = this.#get(id);
    if (!request) return;
    if (!isLive(request)) {
      this.#parts.books.commit(now, [['spotRequest', id, null]]);
    } else if (request.validUntil !== null && request.validUntil <= now) {
      this.#keep(expire(request, this.#instanceOf(request), now), now);
    } else {
      this.#evaluate(request, now);
    }
  }

  #evaluate(request: SpotRequest, now: number): void {
    const { instances, draw } = this.#parts;
    const { template, maxPrice } = request;
    const stopped = request.state === 'disabled' ? this.#instanceOf(request) : undefined;
    if (!stopped && !this.#isLaunchable(request, now)) {
      this.#keep(inStatus(request, 'failed', 'bad-parameters', now), now);
      return;
    }
    const pool = this.#poolOf(request);
    const room = pool
      ? this.#parts.findRoom({
          ...{ pool, option: 'spot' as const, maxPrice, min: 1, max: 1 },
          hasAddress: stopped !== undefined,
        })
      : ({ kind: 'capacity' } as const);
    if (typeof room !== 'number') {
      if (stopped) return;
      const code = room.kind === 'price' ? 'price-too-low' : 'capacity-not-available';
      this.#keep(inStatus(request, 'open', code, now), now);
    } else if (stopped) {
      instances.start([stopped], now);
    } else {
      const instance = anotherOf(template, {
        now,
        runsAt: now + draw('boot'),
        visibleAt: now + draw('consistency'),
      });
      const fulfilled = withInstance(request, instance, now);
      const disks = { disks: request.disks, tags: request.volumeTags };
      instances.launch(
        [{ instances: [instance], disks, spot: null }],
        [['spotRequest', request.id, fulfilled]],
        now,
      );
      this.changed(fulfilled, now);
    }
  }

  /** Whether its image, and what its disks are made of, are still there. */
  #isLaunchable({ template, disks, region }: SpotRequest, now: number): boolean {
    const { books } = this.#parts;
    const image = books.get('image', template.imageId);
    const hasImage = image
      ? imageState(image, now) === 'available'
      : template.imageId === baseImageId(region);
    return (
      hasImage && disks.every(({ snapshotId }) => snapshotId === null || books.get('snapshot', snapshotId))
    );
  }

  #priceChanged(pool: string, now: number): void {
    const { books, market, instances } = this.#parts;
    for (const id of this.#priced.get(pool) ?? []) {
      const request = this.#get(id);
      const record = request && this.#poolOf(request);
      if (!request || !record) continue;
      const instance = this.#instanceOf(request);
      if (isWaiting(request)) this.#evaluate(request, now);
      else if (instance && market.spotPrice(record, now) > Number(request.maxPrice)) {
        instances.interrupt([books.get('instance', instance.id) ?? instance], 'price', NOTICE_SECONDS, now);
      }
    }
    this.#watchPrice(pool, now);
  }

  #watchPrice(pool: string, now: number): void {
    const [zone = '', instanceType = ''] = pool.split('/');
    const record = this.#parts.market.pool(zone, instanceType);
    const watched = record && (this.#priced.get(pool)?.size ?? 0) > 0;
    this.#due.set(PRICE + pool, watched ? this.#parts.market.nextPriceChange(record, now) : Infinity);
  }

  #keep(request: SpotRequest, now: number): void {
    const before = this.#get(request.id);
    if (before === request) {
      this.#track(request, now);
      return;
    }
    this.#parts.books.commit(now, [['spotRequest', request.id, request]]);
    this.changed(request, now);
  }

  #get(id: string): SpotRequest | undefined {
    return this.#parts.books.get('spotRequest', id);
  }

  #instanceOf({ instanceId }: SpotRequest): Instance | undefined {
    return instanceId === null ? undefined : this.#parts.books.get('instance', instanceId);
  }

  #poolOf({ template }: SpotRequest): PoolRecord | undefined {
    return this.#parts.market.pool(template.zone, template.instanceType);
  }
}
