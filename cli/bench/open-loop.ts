/** Load that arrives on a schedule of its own, however slowly it is answered: nobody waits for the one before. */
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';

export interface OpenLoopResult {
  /** Of each call that succeeded: milliseconds from when it was due until it was answered. */
  milliseconds: number[];
  /** What each of the others failed with. */
  failures: unknown[];
  /** What the schedule took, or as long as it took to answer it where that is more. */
  seconds: number;
}

/**
 * Makes `count` calls, `perSecond` of them a second.
 * @throws when the signal is aborted: AbortError, or the signal's reason.
 */
export async function openLoop(
  { count, perSecond, signal }: { count: number; perSecond: number; signal: AbortSignal },
  call: (index: number) => Promise<unknown>,
): Promise<OpenLoopResult> {
  const result: OpenLoopResult = { milliseconds: [], failures: [], seconds: 0 };
  const calls: Promise<void>[] = [];
  const start = performance.now();
  for (let index = 0; index < count; index++) {
    const due = start + (index * 1000) / perSecond;
    // A timer may fire a millisecond early; what is due isn't.
    for (let wait = due - performance.now(); wait > 0; wait = due - performance.now()) {
      await delay(Math.ceil(wait), undefined, { signal });
    }
    calls.push(
      call(index).then(
        () => void result.milliseconds.push(performance.now() - due),
        (error: unknown) => void result.failures.push(error),
      ),
    );
  }
  await Promise.all(calls);
  signal.throwIfAborted();
  result.seconds = Math.max((performance.now() - start) / 1000, count / perSecond);
  return result;
}
