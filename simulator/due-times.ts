/**
 * When what falls due next: one moment a thing, the earliest first. A heap, in which what was moved or dropped stays
 * behind as a stale entry until it comes up.
 */
interface Entry {
  readonly id: string;
  readonly moment: number;
}

export class DueTimes {
  readonly #moments = new Map<string, number>();
  #heap: Entry[] = [];

  /** Of one thing; Infinity when it never is. */
  set(id: string, moment: number): void {
    if (this.#moments.get(id) === moment) return;
    if (moment === Infinity) {
      this.#moments.delete(id);
      return;
    }
    this.#moments.set(id, moment);
    this.#push({ id, moment });
  }

  drop(id: string): void {
    this.#moments.delete(id);
  }

  /** The earliest moment; Infinity when nothing is due ever. */
  next(): number {
    for (;;) {
      const first = this.#heap[0];
      if (!first) return Infinity;
      if (this.#moments.get(first.id) === first.moment) return first.moment;
      this.#pop();
    }
  }

  /** Takes out what is due by `now`, the earliest first. */
  take(now: number): string[] {
    const due: string[] = [];
    while (this.next() <= now) {
      const first = this.#pop();
      if (!first) break;
      this.#moments.delete(first.id);
      due.push(first.id);
    }
    return due;
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above] as Entry;
      if (parent.moment <= entry.moment) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = entry;
  }

  #pop(): Entry | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (!first || !last || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      const right = heap[below + 1];
      if (right && right.moment < (heap[below] as Entry).moment) below++;
      const child = heap[below] as Entry;
      if (child.moment >= last.moment) break;
      heap[at] = child;
      at = below;
    }
    heap[at] = last;
    return first;
  }
}
