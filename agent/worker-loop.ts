/** One of the agent's workers: a round again and again, each failure its own, until the agent stops. */
import type { Log } from './log';

/** Seconds until the next round. */
export type Round = () => Promise<number>;

/** A round that fails is logged and tried again after this, so that one worker's trouble stays its own. */
const AFTER_FAILURE_SECONDS = 2;

export async function runWorker(name: string, round: Round, log: Log, stopping: AbortSignal): Promise<void> {
  while (!stopping.aborted) {
    let pauseSeconds: number;
    try {
      pauseSeconds = await round();
    } catch (error) {
      log('warn', `${name}: ${error instanceof Error ? error.message : String(error)}`);
      pauseSeconds = AFTER_FAILURE_SECONDS;
    }
    await pause(pauseSeconds, stopping);
  }
}

/** Resolves after the time or as soon as the agent stops. */
export function pause(seconds: number, stopping: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (stopping.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      stopping.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, seconds * 1000);
    stopping.addEventListener('abort', done);
  });
}

/** Up to a tenth sooner, so that a fleet that started together doesn't call together. */
export function jittered(seconds: number): number {
  return seconds * (0.9 + Math.random() * 0.1);
}
