/** Waiting for a condition in another system that announces nothing. */
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Asks `probe` every `everyMs` until it returns something other than undefined, null or false.
 * @throws the signal's reason when it is aborted.
 * @throws Error naming `description` and the probe's last error after `timeoutMs`.
 */
export async function until<T>(
  description: string,
  probe: () => T | Promise<T>,
  timeoutMs: number,
  everyMs = 50,
  signal?: AbortSignal,
): Promise<Exclude<T, undefined | null | false>> {
  const end = Date.now() + timeoutMs;
  let last = '';
  for (;;) {
    signal?.throwIfAborted();
    try {
      const found = await probe();
      if (found !== undefined && found !== null && found !== false)
        return found as Exclude<T, undefined | null | false>;
      last = '';
    } catch (error) {
      last = ` (last error: ${(error as Error).message || String(error)})`;
    }
    if (Date.now() >= end) throw new Error(`Waited ${timeoutMs} ms in vain for: ${description}${last}`);
    await delay(everyMs);
  }
}
