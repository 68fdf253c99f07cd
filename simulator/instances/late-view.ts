/**
 * EC2 is eventually consistent: for a moment after a change, descriptions still show what was before it. How long is
 * drawn for each change. In memory: after a restart all is seen as it is.
 */
import type { Instance } from '../books/entities';

interface Before {
  readonly instance: Instance;
  readonly until: number;
}

export class LateView {
  readonly #before = new Map<string, Before>();

  /** @param seconds how late the next change is seen, in cloud seconds. */
  constructor(private readonly seconds: () => number) {}

  changed(before: Instance, now: number): void {
    const until = now + this.seconds();
    if (until > now) this.#before.set(before.id, { instance: before, until });
  }

  /** The instance as descriptions show it. */
  of(instance: Instance, now: number): Instance {
    const before = this.#before.get(instance.id);
    if (!before) return instance;
    if (before.until > now) return before.instance;
    this.#before.delete(instance.id);
    return instance;
  }

  forget(instanceId: string): void {
    this.#before.delete(instanceId);
  }
}
