/**
 * A series of ticks stored as run lengths, repeated without end: after its last tick it starts over.
 * Ticks are whole numbers from 0.
 */
export class RunLengths<T> {
  readonly ticks: number;
  readonly #values: readonly T[];
  /** The tick at which each run ends (exclusive). */
  readonly #ends: readonly number[];

  /** @throws RangeError when no tick is left to repeat. */
  constructor(runs: readonly (readonly [T, number])[]) {
    const present = runs.filter(([, length]) => length > 0);
    const ends: number[] = [];
    let end = 0;
    for (const [, length] of present) ends.push((end += length));
    if (end === 0) throw new RangeError('A series of run lengths needs at least one tick.');
    this.ticks = end;
    this.#values = present.map(([value]) => value);
    this.#ends = ends;
  }

  at(tick: number): T {
    return this.#values[this.#runAt(tick % this.ticks)] as T;
  }

  /** The first tick after `tick` whose value is another; Infinity when the series never changes. */
  nextChange(tick: number): number {
    const value = this.at(tick);
    let at = tick;
    for (let run = 0; run <= this.#ends.length; run++) {
      const inside = at % this.ticks;
      at += (this.#ends[this.#runAt(inside)] as number) - inside;
      if (this.at(at) !== value) return at;
    }
    return Infinity;
  }

  /** The tick, at or before `tick`, at which the value in force at `tick` began, looking back as far as tick 0. */
  beganAt(tick: number): number {
    const value = this.at(tick);
    let began = tick;
    while (began > 0) {
      const inside = began % this.ticks;
      const run = this.#runAt(inside);
      const start = began - inside + (run === 0 ? 0 : (this.#ends[run - 1] as number));
      if (start === 0) return 0;
      if (this.at(start - 1) !== value) return start;
      if (began - start > this.ticks) return 0;
      began = start - 1;
    }
    return 0;
  }

  #runAt(inside: number): number {
    let low = 0;
    let high = this.#ends.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (inside < (this.#ends[middle] as number)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
