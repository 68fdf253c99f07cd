/**
 * Stores what comes in at the same time in one transaction.
 *
 * - **key**: items of one key keep their order (an instance's heartbeats).
 * - **lane**: the keys of one sender (a client's instances), which share what there is with the other lanes.
 *
 * Invariants:
 *   G1  at most `atOnce` batches are under way, and what comes meanwhile makes the next;
 *   G2  at most one item of a key is under way, and the next one waits for it, so their order holds;
 *   G3  an item is answered after the transaction that holds it, and with its own result;
 *   G4  lanes take turns, and so do keys in their lane: whoever sends much waits for itself. When too much waits, the
 *       latest of the longest lane gives way, and none is taken of a key that has its share.
 */
import { Fifo } from './fifo';

/** Nothing of the item was stored. `sender`: it sent more than its share; `all`: there is more than can be stored. */
export class Overloaded extends Error {
  override name = 'Overloaded';

  constructor(readonly by: 'sender' | 'all') {
    super(by === 'sender' ? 'its sender has more than its share waiting' : 'more waits than can be stored');
  }
}

/** Hears once what came of an item, and never throws. */
export interface Waiter<Result> {
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

interface Waiting<Item, Result> {
  item: Item;
  laneName: string;
  waiter: Waiter<Result>;
}

/** After how many keys that have nothing left their map is made anew. */
const RENEWED_AFTER = 500;

interface Lane {
  name: string;
  /** Those that have something waiting and nothing under way. */
  keys: Fifo<string>;
  /** Items, not keys. */
  waiting: number;
  inTurns: boolean;
}

export interface GroupCommitOptions<Item, Result> {
  /** Resolves after the commit with a result an item, in their order; rejects when nothing was stored. */
  store: (items: Item[]) => Promise<Result[]>;
  keyOf: (item: Item) => string;
  laneOf: (item: Item) => string;
  maxBatch: number;
  /** Items beyond these are refused. */
  maxWaiting: number;
  /** The share of a key. */
  maxOfKey: number;
  atOnce: number;
  /** A batch of fewer than `enough` waits so long for more: a transaction costs as much as dozens of items. */
  lingerMs: number;
  enough: number;
}

export class GroupCommit<Item, Result> {
  readonly #options: GroupCommitOptions<Item, Result>;
  readonly #lanes = new Map<string, Lane>();
  /** Lanes that have a key waiting, in turn. */
  readonly #turns = new Fifo<Lane>();
  /** What waits of each key, and an empty list while its last is under way. */
  #ofKey = new Map<string, Waiting<Item, Result>[]>();
  /** Keys that had nothing left, since #ofKey is this map. */
  #done = 0;
  #waiting = 0;
  #running = 0;
  #scheduled = false;
  #idle: (() => void)[] = [];

  constructor(options: GroupCommitOptions<Item, Result>) {
    this.#options = options;
  }

  /** What waits, without what is under way. */
  get waiting(): number {
    return this.#waiting;
  }

  /** What one more of this lane would be refused with: known before it is read. */
  refusal(laneName: string): Overloaded | null {
    if (this.#waiting < this.#options.maxWaiting || this.#longest().name !== laneName) return null;
    return new Overloaded(this.#lanes.size > 1 ? 'sender' : 'all');
  }

  /** Rejects with Overloaded when too much waits already, or when others need the room later. */
  submit(item: Item): Promise<Result> {
    return new Promise<Result>((resolve, reject) => this.put(item, { resolve, reject }));
  }

  /** The same without a promise, which takes longer than all else that is done here with an item. */
  put(item: Item, waiter: Waiter<Result>): void {
    const key = this.#options.keyOf(item);
    const ofKey = this.#ofKey.get(key);
    if (ofKey !== undefined && ofKey.length >= this.#options.maxOfKey) {
      waiter.reject(new Overloaded('sender'));
      return;
    }
    const laneName = this.#options.laneOf(item);
    const refusal = this.refusal(laneName);
    if (refusal) {
      waiter.reject(refusal);
      return;
    }
    if (this.#waiting >= this.#options.maxWaiting && !this.#makeRoom()) {
      waiter.reject(new Overloaded('all'));
      return;
    }
    this.#enqueue(key, { item, laneName, waiter });
    this.#schedule();
  }

  /** Resolves when nothing waits and nothing is under way. */
  async idle(): Promise<void> {
    if (this.#waiting === 0 && this.#running === 0) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #enqueue(key: string, one: Waiting<Item, Result>): void {
    let lane = this.#lanes.get(one.laneName);
    if (lane === undefined) {
      lane = { name: one.laneName, keys: new Fifo(), waiting: 0, inTurns: false };
      this.#lanes.set(one.laneName, lane);
    }
    lane.waiting += 1;
    this.#waiting += 1;
    const ofKey = this.#ofKey.get(key);
    if (ofKey !== undefined) {
      ofKey.push(one);
      return;
    }
    this.#ofKey.set(key, [one]);
    this.#queue(lane, key);
  }

  #queue(lane: Lane, key: string): void {
    lane.keys.push(key);
    this.#takeTurns(lane);
  }

  #takeTurns(lane: Lane): void {
    if (lane.inTurns || lane.keys.size === 0) return;
    lane.inTurns = true;
    this.#turns.push(lane);
  }

  #longest(): Lane {
    let longest: Lane | null = null;
    for (const lane of this.#lanes.values()) {
      if (longest === null || lane.waiting > longest.waiting) longest = lane;
    }
    return longest as Lane; // Called only while something waits.
  }

  /** The latest of the longest lane gives way. Returns false when all of its keys are under way. */
  #makeRoom(): boolean {
    const lane = this.#longest();
    const key = lane.keys.last();
    if (key === undefined) return false;
    const ofKey = this.#ofKey.get(key) ?? [];
    const last = ofKey.pop();
    if (ofKey.length === 0) {
      lane.keys.pop();
      this.#ofKey.delete(key);
    }
    this.#took(lane);
    last?.waiter.reject(new Overloaded('sender'));
    return true;
  }

  #took(lane: Lane): void {
    this.#waiting -= 1;
    lane.waiting -= 1;
    if (lane.waiting === 0) this.#lanes.delete(lane.name);
  }

  /** At least what else arrives in this turn of the event loop goes with the first. */
  #schedule(): void {
    if (this.#scheduled || this.#running >= this.#options.atOnce) return;
    this.#scheduled = true;
    const start = () => {
      this.#scheduled = false;
      this.#start();
    };
    const { lingerMs, enough } = this.#options;
    if (lingerMs > 0 && this.#waiting < enough) setTimeout(start, lingerMs);
    else setImmediate(start);
  }

  #start(): void {
    while (this.#running < this.#options.atOnce) {
      const batch = this.#nextBatch();
      if (batch.size === 0) break;
      void this.#commit(batch);
    }
  }

  /** After a commit: what waits goes on its way before that is answered, since the database need not wait for it. */
  #goOn(): void {
    if (this.#waiting >= this.#options.enough) this.#start();
    else if (this.#waiting > 0) this.#schedule();
    else if (this.#running === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Upholds G2 and G4. */
  #nextBatch(): Map<string, Waiting<Item, Result>> {
    const batch = new Map<string, Waiting<Item, Result>>();
    while (batch.size < this.#options.maxBatch) {
      const lane = this.#turns.shift();
      if (lane === undefined) break;
      lane.inTurns = false;
      const key = lane.keys.shift();
      this.#takeTurns(lane);
      const one = key === undefined ? undefined : this.#ofKey.get(key)?.shift();
      if (key === undefined || one === undefined) continue; // Its only one gave way.
      this.#took(lane);
      batch.set(key, one);
    }
    return batch;
  }

  async #commit(batch: Map<string, Waiting<Item, Result>>): Promise<void> {
    this.#running += 1;
    const all = [...batch.values()];
    let answer: (one: Waiting<Item, Result>, index: number) => void;
    try {
      const results = await this.#options.store(all.map((one) => one.item));
      answer = ({ waiter }, index) => waiter.resolve(results[index] as Result);
    } catch (error) {
      answer = ({ waiter }) => waiter.reject(error);
    }
    this.#running -= 1;
    for (const key of batch.keys()) this.#release(key);
    this.#goOn();
    all.forEach(answer);
  }

  #release(key: string): void {
    const next = this.#ofKey.get(key)?.[0];
    if (next === undefined) {
      this.#ofKey.delete(key);
      if (++this.#done >= RENEWED_AFTER) this.#renew();
      return;
    }
    const lane = this.#lanes.get(next.laneName);
    if (lane) this.#queue(lane, key);
  }

  /**
   * Each time V8 rebuilds a map's table, the one before goes on pointing to it. Once one of them is old, all that follow are
   * kept, with the items that were in them, until the next collection of everything. Another map breaks the chain.
   */
  #renew(): void {
    this.#ofKey = new Map(this.#ofKey);
    this.#done = 0;
  }
}
