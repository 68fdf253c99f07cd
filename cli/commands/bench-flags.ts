/** What the benches' commands have in common. */
import { listenForInterrupts } from '../start/interrupts';
import { UsageError } from '../usage-error';

/** A first Ctrl-C ends the bench in order, with what it started; a second one does it at once. */
export async function interruptible<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController();
  const interrupts = listenForInterrupts(() => process.exit(130));
  void interrupts.first.then((signal) =>
    abort.abort(new Error(`The bench was ended by ${signal} before it had figures.`)),
  );
  try {
    return await run(abort.signal);
  } catch (error) {
    abort.signal.throwIfAborted();
    throw error;
  } finally {
    interrupts.dispose();
  }
}

/** @throws UsageError that names the flag, what it got and what it takes. */
export function wholeNumber(flag: string, text: string, most: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (value >= 1 && value <= most) return value;
  throw new UsageError(
    `The flag --${flag} is not usable: got "${text}"; it takes a whole number from 1 to ${most}.`,
  );
}
