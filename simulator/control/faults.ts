/**
 * Faults to come: the next calls of an action fail in a given way.
 *
 * - `error`: refused with a code, nothing takes effect;
 * - `hang`: held before anything takes effect, until released or the caller gives up;
 * - `drop-before`: the connection is cut, nothing takes effect;
 * - `drop-after`: it takes effect, then the connection is cut;
 * - `hang-after`: it takes effect, the answer is held until released;
 * - `error-after`: it takes effect, the answer is a 5xx with a code.
 */
import type { Books } from '../books/books';
import type { Fault } from '../books/settings';
import { Holds } from './holds';

export class Faults extends Holds {
  constructor(private readonly books: Books) {
    super();
  }

  list(): readonly Fault[] {
    return this.books.all('fault');
  }

  add(fault: Omit<Fault, 'id' | 'left'>, count: number): Fault {
    const id = Math.max(0, ...this.list().map((known) => known.id)) + 1;
    const added = { ...fault, id, left: count };
    this.#keep(added);
    return added;
  }

  clear(): void {
    this.books.commit(
      this.books.position,
      this.list().map(({ id }) => ['fault', String(id), null]),
    );
  }

  /** The oldest fault that is for this call, used up by one. */
  take(action: string, parameters: ReadonlyMap<string, string>): Fault | null {
    const fault = this.list().find(
      (candidate) =>
        (candidate.action === '*' || candidate.action === action) &&
        Object.entries(candidate.match).every(([name, value]) => parameters.get(name) === value),
    );
    if (!fault) return null;
    this.#keep({ ...fault, left: fault.left - 1 });
    return fault;
  }

  #keep(fault: Fault): void {
    this.books.commit(this.books.position, [['fault', String(fault.id), fault.left > 0 ? fault : null]]);
  }
}
