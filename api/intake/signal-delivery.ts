/** Sends this process's own news on right after their commit; what fails here is the worker's relay's. */
import { once } from 'node:events';
import type { Logger } from 'pino';
import type { SendSignal } from '../../contracts/outbox';
import type { Db } from '../../db/connect';
import { drainOutbox } from '../../db/outbox';

/** Each holds a connection for as long as Temporal takes to answer. */
const SIDE_BY_SIDE = 4;
/** What is committed arrives; its sender isn't kept waiting for that. */
const LONGEST_WAIT_MS = 2_000;

export class SignalDelivery {
  readonly #db: Db;
  readonly #send: SendSignal;
  readonly #log: Logger;
  readonly #waiting = new Set<string>();
  readonly #underWay = new Map<string, Promise<void>>();
  #stopped = false;

  constructor(db: Db, send: SendSignal, log: Logger) {
    this.#db = db;
    this.#send = send;
    this.#log = log;
  }

  /** Soon delivers what the outbox holds for these workflows. */
  poke(workflowIds: Iterable<string>): void {
    for (const workflowId of workflowIds) this.#waiting.add(workflowId);
    this.#start();
  }

  /** Resolves when delivery to the workflow was tried, whatever came of it, or takes too long to wait for. */
  async tried(workflowId: string): Promise<void> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), LONGEST_WAIT_MS);
    const gaveUp = once(late.signal, 'abort');
    this.poke([workflowId]);
    while (this.#waiting.has(workflowId) && !late.signal.aborted) {
      await Promise.race([...this.#underWay.values(), gaveUp]);
    }
    await Promise.race([this.#underWay.get(workflowId), gaveUp]);
    clearTimeout(timer);
  }

  /** Ends what is under way and begins nothing more: what waits is the relay's. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#underWay.values());
  }

  /** A workflow being delivered to waits its turn: it may have looked before the newest signal was there. */
  #start(): void {
    if (this.#stopped) return;
    for (const workflowId of this.#waiting) {
      if (this.#underWay.size >= SIDE_BY_SIDE) return;
      if (this.#underWay.has(workflowId)) continue;
      this.#waiting.delete(workflowId);
      this.#underWay.set(workflowId, this.#deliver(workflowId));
    }
  }

  async #deliver(workflowId: string): Promise<void> {
    try {
      const { failed } = await drainOutbox(this.#db, this.#send, { workflowId });
      if (failed > 0)
        this.#log.warn({ workflowId }, 'a signal waits in the outbox: Temporal did not take it');
    } catch (error) {
      this.#log.warn({ workflowId, err: error }, 'signals wait in the outbox: the database did not answer');
    } finally {
      this.#underWay.delete(workflowId);
      this.#start();
    }
  }
}
