/**
 * Stores what comes in at the same time in one transaction.
 *
 * Invariants:
 *   G1  one batch is under way at a time, and what comes meanwhile makes the next;
 *   G2  a batch holds at most one item of each key; a later one waits for the next batch, so their order holds;
 *   G3  an item is answered after the transaction that holds it, and with its own result.
 */

export class Overloaded extends Error {
  override name = 'Overloaded';
}

interface Waiting<Item, Result> {
  item: Item;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

export interface GroupCommitOptions<Item, Result> {
  /** Resolves after the commit with a result an item, in their order; rejects when nothing was stored. */
  store: (items: Item[]) => Promise<Result[]>;
  keyOf: (item: Item) => string;
  maxBatch: number;
  /** Items beyond these are refused. */
  maxWaiting: number;
}

export class GroupCommit<Item, Result> {
  readonly #options: GroupCommitOptions<Item, Result>;
  #waiting: Waiting<Item, Result>[] = [];
  #running: Promise<void> | null = null;

  constructor(options: GroupCommitOptions<Item, Result>) {
    this.#options = options;
  }

  /** @throws Overloaded when too many wait already. */
  submit(item: Item): Promise<Result> {
    if (this.#waiting.length >= this.#options.maxWaiting) {
      return Promise.reject(new Overloaded(`${this.#waiting.length} are waiting already`));
    }
    return new Promise<Result>((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Resolves when nothing waits. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running;
  }

  async #run(): Promise<void> {
    // What else arrived in this turn of the event loop goes with the first.
    await new Promise(setImmediate);
    while (this.#waiting.length > 0) await this.#commit(this.#nextBatch());
    this.#running = null;
  }

  /** Upholds G2. */
  #nextBatch(): Waiting<Item, Result>[] {
    const { keyOf, maxBatch } = this.#options;
    const batch = new Map<string, Waiting<Item, Result>>();
    const later: Waiting<Item, Result>[] = [];
    for (const one of this.#waiting) {
      const key = keyOf(one.item);
      if (batch.size < maxBatch && !batch.has(key)) batch.set(key, one);
      else later.push(one);
    }
    this.#waiting = later;
    return [...batch.values()];
  }

  async #commit(batch: Waiting<Item, Result>[]): Promise<void> {
    let results: Result[];
    try {
      results = await this.#options.store(batch.map((one) => one.item));
    } catch (error) {
      for (const one of batch) one.reject(error);
      return;
    }
    batch.forEach((one, index) => one.resolve(results[index] as Result));
  }
}
