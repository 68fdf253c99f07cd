/** Calls that are held until someone lets them go, or their caller has gone. */
export class Holds {
  #held = new Set<() => void>();

  get held(): number {
    return this.#held.size;
  }

  /** Resolves when released, or when the caller has gone. */
  async hold(gone: AbortSignal): Promise<void> {
    if (gone.aborted) return;
    await new Promise<void>((resolve) => {
      const release = () => {
        this.#held.delete(release);
        gone.removeEventListener('abort', release);
        resolve();
      };
      this.#held.add(release);
      gone.addEventListener('abort', release);
    });
  }

  /** Lets all held calls go on. Returns how many. */
  release(): number {
    const held = [...this.#held];
    for (const release of held) release();
    return held.length;
  }
}
