/**
 * Faults of the metadata service, for the next requests or until cleared: an error's status, `hang` (no answer until
 * released or the caller gives up), `drop` (the connection is cut).
 */
import type { Books } from '../books/books';
import type { MetadataFault } from '../books/settings';
import { Holds } from '../control/holds';

export class MetadataFaults extends Holds {
  constructor(private readonly books: Books) {
    super();
  }

  list(): readonly MetadataFault[] {
    return this.books.all('metadataFault');
  }

  add(fault: Omit<MetadataFault, 'id'>): MetadataFault {
    const added = { ...fault, id: Math.max(0, ...this.list().map(({ id }) => id)) + 1 };
    this.books.commit(this.books.position, [['metadataFault', String(added.id), added]]);
    return added;
  }

  clear(): void {
    this.books.commit(
      this.books.position,
      this.list().map(({ id }) => ['metadataFault', String(id), null]),
    );
  }

  /** The oldest fault that is for this request, used up by one. */
  take(instanceId: string, path: string): MetadataFault | null {
    const fault = this.list().find(
      (candidate) =>
        (candidate.instanceId === null || candidate.instanceId === instanceId) &&
        path.startsWith(candidate.path),
    );
    if (!fault) return null;
    if (fault.left !== null) {
      const left = fault.left - 1;
      const next = left > 0 ? { ...fault, left } : null;
      this.books.commit(this.books.position, [['metadataFault', String(fault.id), next]]);
    }
    return fault;
  }
}
