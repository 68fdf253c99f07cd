/**
 * The cloud: its books, its market and the passing of its time.
 *
 * C1 time passes in order: whatever falls due is done at its own moment, one after the other, however late we look.
 * C2 a spot instance in a pool that isn't there has a notice, or is being ended or stopped.
 * C3 what happens outside the books (a process started or killed) happens after the books have it durably.
 * C4 nothing is looked for among all instances because a call came in: what is due is known (due-times.ts), and pools are
 *    gone through when the market changes.
 */
import type { Books, BooksPut } from './books/books';
import type { EndReason, Instance, PurchaseOption, SpotRequest } from './books/entities';
import type { CloudClock } from './clock';
import type { EventLog } from './control/event-log';
import type { InstanceFiles } from './instances/instance-files';
import type { CloudParts, Durations } from './cloud-parts';
import { Instances } from './instances/instances';
import type { LaunchOrder } from './instances/instances';
import { isActive, NOTICE_SECONDS, SPOT_TAKEN, USER_ENDED, USER_HIBERNATED } from './instances/lifecycle';
import type { Machines } from './instances/machines';
import { findRoom } from './instances/room';
import type { Ask, Shortage } from './instances/room';
import { Capacity } from './market/capacity';
import type { PoolChange } from './market/capacity';
import type { Market, PoolRecord } from './market/market';
import { poolName } from './market/market';
import { between } from './market/random';
import { SpotDesk } from './spot/spot-desk';
import { Storage } from './storage/storage';

const LONGEST_TIMER_MILLISECONDS = 3_600_000;

export class Cloud {
  readonly accountId: string;
  readonly books: Books;
  readonly clock: CloudClock;
  readonly market: Market;
  readonly events: EventLog;
  readonly storage: Storage;
  readonly #parts: CloudParts;
  readonly #instances: Instances;
  readonly #spot: SpotDesk;
  readonly #capacity: Capacity;
  #machines: Machines | null = null;
  /** All that fell due until here is done. */
  #time: number;
  #timer: NodeJS.Timeout | null = null;

  constructor(parts: CloudParts) {
    this.#parts = parts;
    this.accountId = parts.accountId;
    this.books = parts.books;
    this.clock = parts.clock;
    this.market = parts.market;
    this.events = parts.events;
    this.storage = new Storage({
      ...parts,
      files: parts.files.disks,
      onMounts: (instanceId) => this.#reconcile(instanceId),
    });
    this.#time = parts.books.position;
    const draw = (duration: keyof Durations) => this.draw(duration);
    this.#instances = new Instances({
      ...parts,
      volumes: this.storage.volumes,
      draw,
      onRequest: (request) => this.#spot.changed(request, this.#time),
      reconcile: (instanceId) => this.#reconcile(instanceId),
    });
    this.#spot = new SpotDesk({
      ...parts,
      instances: this.#instances,
      draw,
      findRoom: (ask) => this.findRoom(ask),
    });
    this.#capacity = new Capacity(parts.books, parts.market);
    this.#capacity.look(this.#time);
  }

  /** Sets the machines up as the books have them, and lets time pass. */
  start(machines: Machines): void {
    this.#machines = machines;
    const known = this.books.all('instance').map(({ id }) => id);
    for (const id of new Set([...known, ...this.files.instanceIds()])) machines.reconcile(id);
    this.#settle(this.#time);
    this.#takePools(this.market.pools().filter((pool) => !this.isAvailable(pool, 'spot', this.#time)));
    this.#spot.evaluateWaiting(this.#time);
    this.advance();
  }

  stop(): void {
    this.advance();
    this.keepTime();
    if (this.#timer) clearTimeout(this.#timer);
    this.#machines = null;
  }

  /** The machines behind the instances. @throws Error before `start`. */
  get machines(): Machines {
    if (!this.#machines) throw new Error('The cloud has not started or has stopped.');
    return this.#machines;
  }

  get files(): InstanceFiles {
    return this.#parts.files;
  }

  /** The cloud second until which all is done. */
  get time(): number {
    return this.#time;
  }

  /** Does what has fallen due. Returns the cloud second it is. */
  advance(): number {
    const now = this.clock.now();
    for (let due = this.#nextDue(); due <= now; due = this.#nextDue()) {
      const before = this.#time;
      this.#time = Math.max(before, due);
      this.#settle(before);
    }
    this.#time = Math.max(this.#time, now);
    this.#arm();
    return this.#time;
  }

  /** Moves a paused clock on, and does all that falls due on the way. */
  advanceClock(seconds: number): void {
    this.clock.advance(seconds);
    this.books.commit(this.#time, [['anchors', 'clock', this.clock.anchors]]);
    this.advance();
    this.keepTime();
  }

  /** Writes down how far time has come. */
  keepTime(): void {
    this.books.keepTime(this.#time);
  }

  /** How long something takes one more instance, in cloud seconds. */
  draw(duration: keyof Durations): number {
    const [min, max] = this.#parts.durations[duration];
    return between(this.#parts.random, min, max);
  }

  isAvailable(pool: PoolRecord, option: PurchaseOption, at: number): boolean {
    return this.#capacity.isAvailable(pool, option, at);
  }

  /** How many instances there is room for now, or what there is too little of. */
  findRoom(ask: Ask): number | Shortage {
    const market = {
      isAvailable: (pool: PoolRecord, option: PurchaseOption) => this.isAvailable(pool, option, this.#time),
      spotPrice: (pool: PoolRecord) => this.market.spotPrice(pool, this.#time),
    };
    return findRoom(this.books, market, ask);
  }

  /** Holds pools at one state whatever the market says, or (null) lets the market say again. */
  holdPools(pools: readonly PoolRecord[], option: PurchaseOption, available: boolean | null): void {
    const now = this.advance();
    this.#capacity.hold(pools, option, available, now);
    this.#followMarket(this.#capacity.look(now));
    this.advance();
  }

  /** Sets limits (room.ts), or (null) lifts them. */
  setLimits(ids: readonly string[], most: number | null): void {
    const now = this.advance();
    this.books.commit(
      now,
      ids.map((id): BooksPut => ['limit', id, most === null ? null : { most }]),
    );
    this.#spot.evaluateWaiting(now);
    this.advance();
  }

  /** Books launches, with other changes, in one transaction. Returns their instances. */
  launch(orders: readonly LaunchOrder[], also: readonly BooksPut[]): Instance[] {
    const instances = this.#instances.launch(orders, also, this.#time);
    this.advance();
    return instances;
  }

  /** The instance as descriptions show it; null while they don't know it yet. */
  shown(instance: Instance): Instance | null {
    return instance.visibleAt > this.#time ? null : this.#instances.shown(instance, this.#time);
  }

  /** Ends instances; those that have ended stay as they are. */
  endInstances(instances: readonly Instance[], reason: EndReason): void {
    this.#instances.end(instances, reason, this.#time);
    this.advance();
  }

  stopInstances(instances: readonly Instance[], { hibernate }: { hibernate: boolean }): void {
    const [by, reason] = hibernate
      ? (['hibernate', USER_HIBERNATED] as const)
      : (['stop', USER_ENDED] as const);
    this.#instances.stop(instances, by, reason, this.#time);
    this.advance();
  }

  /** Starts stopped instances; whether there is room for them was asked before. */
  startInstances(instances: readonly Instance[]): void {
    this.#instances.start(instances, this.#time);
    this.advance();
  }

  /** Asks an instance's operating system to start anew; it is done when it is. */
  reboot(instanceId: string): void {
    this.machines.reboot(instanceId).catch(this.#parts.onError);
  }

  cancelSpotRequests(requests: readonly SpotRequest[]): SpotRequest[] {
    const now = this.#time;
    const endStopped = (instance: Instance) => this.#instances.end([instance], SPOT_TAKEN, now);
    const cancelled = this.#spot.cancel(requests, endStopped, now);
    this.advance();
    return cancelled;
  }

  notify(instance: Instance, seconds = NOTICE_SECONDS): void {
    this.#instances.interrupt([instance], 'capacity', seconds, this.#time);
    this.advance();
  }

  recommendRebalance(instance: Instance): void {
    const recommended = { ...instance, rebalanceAt: this.#time };
    this.#instances.keep([recommended], 'rebalance-recommended', this.#time);
  }

  #nextDue(): number {
    return Math.min(
      this.#capacity.nextDue(),
      this.#instances.nextDue(),
      this.#spot.nextDue(),
      this.storage.nextDue(this.#time),
    );
  }

  /** Does all that is due at `#time`, when all until `before` was done. */
  #settle(before: number): void {
    const now = this.#time;
    const freed = this.#instances.settle(now);
    this.storage.settle(before, now);
    if (this.#capacity.nextDue() <= now) this.#followMarket(this.#capacity.look(now));
    this.#spot.settle(now);
    if (freed) this.#spot.evaluateWaiting(now);
  }

  /** What came and went: notices where nothing is left (C2), and what waited gets its turn. */
  #followMarket(changes: readonly PoolChange[]): void {
    for (const { pool, available } of changes) {
      this.events.append({
        kind: available ? 'pool-available' : 'pool-taken',
        zone: pool.zone,
        instance_type: pool.instanceType,
      });
    }
    this.#takePools(changes.filter(({ available }) => !available).map(({ pool }) => pool));
    if (changes.some(({ available }) => available)) this.#spot.evaluateWaiting(this.#time);
  }

  #takePools(pools: readonly PoolRecord[]): void {
    if (pools.length === 0) return;
    const taken = new Set(pools.map(({ zone, instanceType }) => poolName(zone, instanceType)));
    const lost = this.books
      .all('instance')
      .filter((instance) => instance.option === 'spot' && isActive(instance))
      .filter(({ zone, instanceType }) => taken.has(poolName(zone, instanceType)));
    this.#instances.interrupt(lost, 'capacity', NOTICE_SECONDS, this.#time);
  }

  /** A machine follows its instance once the books are durable; if they can't be, the process stops anyway. */
  #reconcile(instanceId: string): void {
    void this.books.durable().then(
      () => this.#machines?.reconcile(instanceId),
      () => undefined,
    );
  }

  #arm(): void {
    if (this.#timer) clearTimeout(this.#timer);
    const wait = Math.min(this.clock.millisecondsUntil(this.#nextDue()), LONGEST_TIMER_MILLISECONDS);
    this.#timer = setTimeout(() => this.advance(), Math.ceil(wait));
  }
}
