/** Waits that end early when the agent is told to stop, and how long to wait before trying again. */
import { setTimeout as delay } from 'node:timers/promises';

/** Resolves after the time, or at once when `signal` aborts; never rejects. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(Math.max(0, ms), undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** Doubling waits with jitter, so that a fleet doesn't come back all at once. */
export class Backoff {
  #failures = 0;
  readonly #firstMs: number;
  readonly #longestMs: number;

  constructor(firstMs: number, longestMs: number) {
    this.#firstMs = firstMs;
    this.#longestMs = longestMs;
  }

  /** @param atLeastMs what the other side asked for. */
  nextMs(atLeastMs = 0): number {
    const ceiling = Math.min(this.#longestMs, this.#firstMs * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 30);
    return Math.max(atLeastMs, ceiling * (0.5 + Math.random() / 2));
  }

  reset(): void {
    this.#failures = 0;
  }
}

/** A little less than the whole: never late, and not in step with others. */
export function jittered(ms: number): number {
  return ms * (0.9 + Math.random() * 0.1);
}
