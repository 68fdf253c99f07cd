/**
 * The cloud: its books, its market and the passing of its time.
 *
 * C1 time passes in order: whatever falls due is done at its own moment, one after the other, however late we look.
 * C2 a spot instance in a pool that isn't there has a notice, or is being ended.
 * C3 what happens outside the books (a process started or killed) happens after the books have it durably.
 */
import type { Books, BooksPut } from './books/books';
import type { EndReason, Instance, PurchaseOption } from './books/entities';
import { tokenKey } from './instances/client-tokens';
import type { CloudClock } from './clock';
import type { EventLog } from './control/event-log';
import type { InstanceFiles } from './instances/instance-files';
import { EVENT_OF_STATE, instanceEvent } from './instances/instance-events';
import type { InstanceEventKind } from './instances/instance-events';
import { end, giveNotice, isActive, nextChange, nextState, NOTICE_SECONDS } from './instances/lifecycle';
import type { Machines } from './instances/machines';
import { Capacity } from './market/capacity';
import type { Market, PoolRecord } from './market/market';
import { between } from './market/random';
import type { Random } from './market/random';
import type { LaunchDisks } from './storage/disks';
import type { StorageDurations } from './storage/durations';
import { Storage } from './storage/storage';

/** From and to, in cloud seconds. */
export type Range = readonly [min: number, max: number];

export interface Durations {
  readonly boot: Range;
  readonly shutdown: Range;
}

export interface CloudParts {
  readonly accountId: string;
  readonly books: Books;
  readonly clock: CloudClock;
  readonly market: Market;
  readonly events: EventLog;
  readonly files: InstanceFiles;
  readonly durations: Durations & StorageDurations;
  readonly random: Random;
  readonly onError: (error: unknown) => void;
}

const LONGEST_TIMER_MILLISECONDS = 3_600_000;

export class Cloud {
  readonly accountId: string;
  readonly books: Books;
  readonly clock: CloudClock;
  readonly market: Market;
  readonly events: EventLog;
  readonly storage: Storage;
  readonly #parts: CloudParts;
  #machines: Machines | null = null;
  /** All that fell due until here is done. */
  #time: number;
  #timer: NodeJS.Timeout | null = null;
  readonly #capacity: Capacity;

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
    this.#capacity = new Capacity(parts.books, parts.market);
    this.#capacity.look(this.#time);
  }

  /** Sets the machines up as the books have them, and lets time pass. */
  start(machines: Machines): void {
    this.#machines = machines;
    const known = this.books.all('instance').map(({ id }) => id);
    for (const id of new Set([...known, ...this.files.instanceIds()])) machines.reconcile(id);
    this.#settle(this.#time);
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

  /** Boot or shutdown time of one more instance, in cloud seconds. */
  draw(duration: keyof Durations): number {
    const [min, max] = this.#parts.durations[duration];
    return between(this.#parts.random, min, max);
  }

  isAvailable(pool: PoolRecord, option: PurchaseOption, at: number): boolean {
    return this.#capacity.isAvailable(pool, option, at);
  }

  /** Holds pools at one state whatever the market says, or (null) lets the market say again. */
  holdPools(pools: readonly PoolRecord[], option: PurchaseOption, available: boolean | null): void {
    const now = this.advance();
    this.#capacity.hold(pools, option, available, now);
    this.#settle(now);
    this.#arm();
  }

  /** Books a launch: its instances with their disks, and what its client token stands for. Returns them. */
  launch(
    drafts: readonly Instance[],
    disks: LaunchDisks,
    token: { key: string; fingerprint: string } | null,
  ): Instance[] {
    const launched = drafts.map((draft) => this.storage.volumes.atLaunch(draft, disks, this.#time));
    const instances = launched.map(({ instance }) => instance);
    const puts = launched.flatMap(({ instance, puts }): BooksPut[] => [
      ['instance', instance.id, instance],
      ...puts,
    ]);
    if (token) {
      const use = { fingerprint: token.fingerprint, instanceIds: instances.map(({ id }) => id) };
      puts.push(['token', token.key, use]);
    }
    this.books.commit(this.#time, puts);
    for (const instance of instances) {
      this.storage.volumes.launched(instance);
      this.events.append(instanceEvent('instance-launched', instance, this.clock));
      this.#reconcile(instance.id);
    }
    this.advance();
    return instances;
  }

  tokenUse(token: string, region: string, zone: string | null) {
    return this.books.get('token', tokenKey(token, region, zone));
  }

  /** Ends active instances; those that have ended stay as they are. */
  endInstances(instances: readonly Instance[], reason: EndReason): void {
    const now = this.#time;
    const ended = instances
      .filter(isActive)
      .map((instance) => end(instance, now, reason, this.draw('shutdown')));
    this.#keepInstances(ended, 'instance-ended');
    this.advance();
  }

  notify(instance: Instance, seconds = NOTICE_SECONDS): void {
    const noticed = giveNotice(instance, this.#time, seconds);
    if (noticed !== instance) this.#keepInstances([noticed], 'interruption-notice');
    this.advance();
  }

  recommendRebalance(instance: Instance): void {
    this.#keepInstances([{ ...instance, rebalanceAt: this.#time }], 'rebalance-recommended');
  }

  #nextDue(): number {
    let due = Math.min(this.market.nextAvailabilityChange(this.#time), this.storage.nextDue(this.#time));
    for (const instance of this.books.all('instance')) due = Math.min(due, nextChange(instance));
    return due;
  }

  /** Does all that is due at `#time`, when all until `before` was done. */
  #settle(before: number): void {
    const now = this.#time;
    for (const instance of this.books.all('instance')) {
      const next = nextState(instance, now, () => this.draw('shutdown'));
      if (next === null) this.#forget(instance, now);
      else if (next !== instance) this.#keepInstances([next], EVENT_OF_STATE[next.state]);
    }
    this.storage.settle(before, now);
    for (const { pool, available } of this.#capacity.look(now)) {
      this.events.append({
        kind: available ? 'pool-available' : 'pool-taken',
        zone: pool.zone,
        instance_type: pool.instanceType,
      });
    }
    this.#noticeTaken(now);
  }

  /** Notice to each spot instance whose pool isn't there (C2). */
  #noticeTaken(now: number): void {
    const noticed = this.books
      .all('instance')
      .filter((instance) => instance.option === 'spot' && isActive(instance) && !instance.notice)
      .filter(({ zone, instanceType }) => {
        const pool = this.market.pool(zone, instanceType);
        return pool !== undefined && !this.isAvailable(pool, 'spot', now);
      })
      .map((instance) => giveNotice(instance, now, NOTICE_SECONDS));
    this.#keepInstances(noticed, 'interruption-notice');
  }

  #keepInstances(instances: readonly Instance[], kind: InstanceEventKind): void {
    if (instances.length === 0) return;
    this.books.commit(
      this.#time,
      instances.flatMap((instance): BooksPut[] => [
        ['instance', instance.id, instance],
        ...(instance.state === 'terminated' ? this.storage.volumes.atEnd(instance) : []),
      ]),
    );
    for (const instance of instances) {
      this.events.append(instanceEvent(kind, instance, this.clock));
      this.#reconcile(instance.id);
    }
  }

  #forget(instance: Instance, now: number): void {
    this.books.commit(now, [
      ['instance', instance.id, null],
      ['machine', instance.id, null],
    ]);
    this.#reconcile(instance.id);
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
