/** `processes.json`: every process that a start has started, so that the next one can end what a kill -9 left behind. */
import { setTimeout as delay } from 'node:timers/promises';
import { isRunning, type ProcessIdentity, signalGroup, signalProcess } from '../parts/process-identity';
import type { Part } from '../parts/part';
import type { StateFolder } from './state-folder';

interface BookedProcess extends ProcessIdentity {
  name: string;
  stopSignal: NodeJS.Signals;
}

const FILE = 'processes.json';
const GRACE_MS = 12_000;

export class ProcessBook {
  readonly #state: StateFolder;
  #entries: BookedProcess[];

  constructor(state: StateFolder) {
    this.#state = state;
    this.#entries = state.read<BookedProcess[]>(FILE) ?? [];
  }

  add(part: Part, stopSignal: NodeJS.Signals): void {
    this.#entries.push({ name: part.name, pid: part.pid, startedAt: part.startedAt, stopSignal });
    this.#state.write(FILE, this.#entries);
  }

  remove(part: Part): void {
    this.#entries = this.#entries.filter(
      ({ pid, startedAt }) => pid !== part.pid || startedAt !== part.startedAt,
    );
    this.#state.write(FILE, this.#entries);
  }

  /**
   * Ends what an earlier start left running, newest first, as a clean stop would: they were started in the order in
   * which they need each other.
   */
  async endLeftovers(say: (line: string) => void): Promise<void> {
    for (const entry of this.#entries.filter(isRunning).reverse()) {
      say(
        `An earlier start was killed and left ${entry.name} running (process ${entry.pid}); it is ended first.`,
      );
      await end(entry);
    }
    this.#entries = [];
    this.#state.write(FILE, this.#entries);
  }
}

/** It is no child of ours, so its end is seen only by looking. */
async function end(entry: BookedProcess): Promise<void> {
  signalProcess(entry.pid, entry.stopSignal);
  for (const stop = Date.now() + GRACE_MS; Date.now() < stop; await delay(50)) if (!isRunning(entry)) return;
  if (isRunning(entry)) signalGroup(entry.pid, 'SIGKILL');
  while (isRunning(entry)) await delay(50);
}
