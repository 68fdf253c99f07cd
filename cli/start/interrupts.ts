/** Ctrl-C and its like: the first asks for an orderly stop, a second one forces it. */

/** npm passes on to us the Ctrl-C that the terminal has sent us already; both are one press. */
const SAME_PRESS_MS = 800;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface Interrupts {
  /** Resolves at the first. */
  first: Promise<NodeJS.Signals>;
  dispose(): void;
}

/** @param onSecond called at each further press. */
export function listenForInterrupts(onSecond: () => void): Interrupts {
  let firstAt: number | null = null;
  let resolve!: (signal: NodeJS.Signals) => void;
  const first = new Promise<NodeJS.Signals>((done) => (resolve = done));
  const hear = (signal: NodeJS.Signals) => {
    if (firstAt === null) {
      firstAt = Date.now();
      resolve(signal);
    } else if (Date.now() - firstAt > SAME_PRESS_MS) onSecond();
  };
  for (const signal of SIGNALS) process.on(signal, hear);
  return { first, dispose: () => SIGNALS.forEach((signal) => process.off(signal, hear)) };
}
