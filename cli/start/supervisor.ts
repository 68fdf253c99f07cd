/**
 * Runs the parts: starts each in turn, starts it again when it dies, stops all in order.
 *
 * States: running → stopping → stopped.
 * 1. A process is in the book from the moment it exists until it has ended.
 * 2. Once stopping, nothing is started any more, and what was just being started is ended.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { capital, describeExit, type Part, PartError, type PartOptions } from '../parts/part';
import type { ProcessBook } from './process-book';

export interface PartPlan {
  name: string;
  /** Parts of a lower rank are stopped first; those of one rank together. */
  rank: number;
  /** How it is asked to end, and how long it has for it. */
  stopSignal: NodeJS.Signals;
  graceMs: number;
  /** Starts it and waits until it serves. */
  start(onSpawn: NonNullable<PartOptions['onSpawn']>): Promise<Part>;
}

/** This many deaths within the window are no accident any more. */
const MAX_DEATHS = 5;
const DEATH_WINDOW_MS = 60_000;
const RESTART_PAUSE_MS = 500;

/** Thrown out of a start that a stop has overtaken. */
export class Stopping extends Error {
  override name = 'Stopping';
}

export class Supervisor {
  readonly #book: ProcessBook;
  readonly #say: (line: string) => void;
  readonly #running = new Map<PartPlan, Part>();
  readonly #stop = new AbortController();
  #failed!: (error: Error) => void;
  /** Resolves when a part can't be kept running. */
  readonly failure = new Promise<Error>((resolve) => (this.#failed = resolve));

  constructor(book: ProcessBook, say: (line: string) => void) {
    this.#book = book;
    this.#say = say;
  }

  /** Aborted as soon as all is to stop. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** @throws PartError if it doesn't start; Stopping if it isn't to start any more. */
  async run(plan: PartPlan): Promise<void> {
    const part = await this.#start(plan);
    void this.#watch(plan, part);
  }

  /** Ends all, in the order of their ranks. */
  async stopAll(): Promise<void> {
    this.#stop.abort(new Stopping());
    while (this.#running.size > 0) {
      const rank = Math.min(...[...this.#running.keys()].map((plan) => plan.rank));
      const parts = [...this.#running].filter(([plan]) => plan.rank === rank);
      await Promise.all(parts.map(([plan, part]) => part.stop(plan.stopSignal, plan.graceMs)));
    }
  }

  /** kill -9 to whatever is left. */
  killAll(): void {
    this.#stop.abort(new Stopping());
    for (const part of this.#running.values()) part.kill();
  }

  async #start(plan: PartPlan): Promise<Part> {
    this.signal.throwIfAborted();
    const part = await plan.start((spawned) => {
      this.#book.add(spawned, plan.stopSignal);
      this.#running.set(plan, spawned);
      void spawned.exited.then(() => {
        this.#book.remove(spawned);
        if (this.#running.get(plan) === spawned) this.#running.delete(plan);
      });
      if (this.signal.aborted) spawned.kill();
    });
    this.signal.throwIfAborted();
    return part;
  }

  async #watch(plan: PartPlan, first: Part): Promise<void> {
    let deaths: number[] = [];
    let part: Part | null = first;
    while (!this.signal.aborted) {
      let what = 'could not be started again';
      let error: Error | null = null;
      try {
        if (part) {
          what = `ended ${describeExit(await part.exited)}`;
          error = part.failure(what);
          part = null;
        } else {
          part = await this.#start(plan);
          continue;
        }
      } catch (failure) {
        error = failure as Error;
      }
      if (this.signal.aborted) return;
      const now = Date.now();
      deaths = [...deaths.filter((at) => now - at < DEATH_WINDOW_MS), now];
      if (deaths.length >= MAX_DEATHS) {
        this.#failed(
          new PartError(
            `${capital(plan.name)} ended ${deaths.length} times within a minute.\n${error.message}`,
          ),
        );
        return;
      }
      this.#say(`${capital(plan.name)} ${what}; it is started again.`);
      // The first time at once, then with growing pauses, so that a passing trouble can pass.
      await delay((deaths.length - 1) * RESTART_PAUSE_MS, undefined, { signal: this.signal }).catch(
        () => undefined,
      );
    }
  }
}
