/** A task done again and again in a worker process, one at a time, until it is stopped. */
import type { Logger } from 'pino';

export interface Periodic {
  /** Resolves when the round under way has ended. */
  stop(): Promise<void>;
}

/** A round that fails is logged and tried again at the next; a long outage is logged once a minute. */
export function periodically(
  name: string,
  everyMs: number,
  log: Logger,
  round: () => Promise<unknown>,
): Periodic {
  let stopped = false;
  let wake: () => void = () => undefined;
  let lastLoggedMs = 0;
  const loop = (async () => {
    while (!stopped) {
      try {
        await round();
      } catch (error) {
        if (Date.now() - lastLoggedMs > 60_000) {
          lastLoggedMs = Date.now();
          log.error({ err: error, task: name }, `${name} failed and goes on trying`);
        }
      }
      if (stopped) break;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, everyMs);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  })();
  return {
    async stop() {
      stopped = true;
      wake();
      await loop;
    },
  };
}
