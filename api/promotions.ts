/** Who waits to hear that a replica was promoted or is not wanted any more; woken by the database's announcement. */
export class Promotions {
  readonly #waiting = new Map<string, Set<() => void>>();
  #closed = false;

  /** Something became of this replica; of all while announcements may have been missed. */
  announce(replicaId: string | null): void {
    const woken =
      replicaId === null ? [...this.#waiting.values()] : [this.#waiting.get(replicaId) ?? new Set()];
    for (const wakes of woken) for (const wake of wakes) wake();
  }

  /** Nobody waits any longer. */
  close(): void {
    this.#closed = true;
    this.announce(null);
  }

  /** Resolves when something became of the replica, after `timeoutMs`, or when `left` aborts, whichever is first. */
  next(replicaId: string, timeoutMs: number, left: AbortSignal): Promise<void> {
    if (this.#closed || left.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wakes = this.#waiting.get(replicaId) ?? new Set();
      const done = () => {
        clearTimeout(timer);
        left.removeEventListener('abort', done);
        wakes.delete(done);
        if (wakes.size === 0) this.#waiting.delete(replicaId);
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      left.addEventListener('abort', done);
      wakes.add(done);
      this.#waiting.set(replicaId, wakes);
    });
  }
}
