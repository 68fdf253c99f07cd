/** The slow network: how long calls wait on their way in and their answers on the way out, in real seconds. */
import type { Books } from '../books/books';
import type { Delay } from '../books/settings';
import { between } from '../market/random';
import type { Random } from '../market/random';

export class Delays {
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(
    private readonly books: Books,
    private readonly random: Random,
  ) {}

  list(): Delay[] {
    return this.books.all('delay');
  }

  /** Sets what holds for a service and an action, in place of what held. */
  set(delay: Delay): void {
    this.books.commit(this.books.position, [['delay', `${delay.service} ${delay.action}`, delay]]);
  }

  clear(): void {
    this.books.commit(
      this.books.position,
      this.books.entries('delay').map(([id]) => ['delay', id, null]),
    );
  }

  /**
   * Waits as long as a call must before it takes effect, or its answer after it.
   * @param action what the call is of; a path for `imds`.
   */
  async pass(
    service: Delay['service'],
    action: string,
    when: 'before' | 'after',
    gone: AbortSignal,
  ): Promise<void> {
    const delay = this.#of(service, action);
    if (!delay) return;
    const fixed = when === 'before' ? delay.beforeSeconds : delay.afterSeconds;
    const seconds = fixed > 0 ? between(this.random, fixed, fixed + delay.jitterSeconds) : 0;
    // A call on its way in arrives though its caller has gone: only the way out can end early.
    if (seconds > 0) await this.#wait(seconds * 1000, when === 'after' ? gone : null);
  }

  /** What still waits waits for ever: nothing may take effect in books that are closed. */
  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }

  /** The one that says most of the call. */
  #of(service: Delay['service'], action: string): Delay | undefined {
    const matches = ({ service: of, action: what }: Delay) =>
      (of === '*' || of === service) &&
      (what === '*' || (service === 'imds' ? action.startsWith(what) : action === what));
    const precision = (delay: Delay) =>
      (delay.service === '*' ? 0 : 1) + (delay.action === '*' ? 0 : 1 + delay.action.length);
    return this.books
      .all('delay')
      .filter(matches)
      .sort((a, b) => precision(b) - precision(a))[0];
  }

  #wait(milliseconds: number, gone: AbortSignal | null): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#timers.delete(timer);
        gone?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, gone?.aborted ? 0 : milliseconds);
      this.#timers.add(timer);
      gone?.addEventListener('abort', done);
    });
  }
}
