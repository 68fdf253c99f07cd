/**
 * Faults to come: the next calls of an action fail in a given way.
 *
 * - an error code: refused with it, nothing takes effect;
 * - `hang`: held before anything takes effect, until released or the caller gives up;
 * - `drop-before`: the connection is cut, nothing takes effect;
 * - `drop-after`: it takes effect, then the connection is cut;
 * - `hang-after`: it takes effect, the answer is held until released;
 * - `error-after`: it takes effect, the answer is a 503.
 */
export const FAULT_MODES = ['hang', 'drop-before', 'drop-after', 'hang-after', 'error-after'] as const;
export type FaultMode = (typeof FAULT_MODES)[number] | 'error';

export interface Fault {
  readonly id: number;
  /** `*` is any. */
  readonly action: string;
  readonly mode: FaultMode;
  /** Of mode `error`. */
  readonly code: string;
  readonly message: string;
  readonly status: number | null;
  /** Parameters, by their flat names, that the call must have. */
  readonly match: Readonly<Record<string, string>>;
  /** How many calls it is still for. */
  readonly left: number;
}

export class Faults {
  #faults: Fault[] = [];
  #lastId = 0;
  #held = new Set<() => void>();

  list(): readonly Fault[] {
    return this.#faults;
  }

  get held(): number {
    return this.#held.size;
  }

  add(fault: Omit<Fault, 'id' | 'left'>, count: number): Fault {
    const added = { ...fault, id: ++this.#lastId, left: count };
    this.#faults.push(added);
    return added;
  }

  clear(): void {
    this.#faults = [];
  }

  /** The oldest fault that is for this call, used up by one. */
  take(action: string, parameters: ReadonlyMap<string, string>): Fault | null {
    const fault = this.#faults.find(
      (candidate) =>
        (candidate.action === '*' || candidate.action === action) &&
        Object.entries(candidate.match).every(([name, value]) => parameters.get(name) === value),
    );
    if (!fault) return null;
    this.#faults = this.#faults
      .map((other) => (other === fault ? { ...fault, left: fault.left - 1 } : other))
      .filter(({ left }) => left > 0);
    return fault;
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
