/** Sends this process's own news on right after their commit; what fails here is the worker's relay's. */
import type { Logger } from 'pino';
import type { SendSignal } from '../../contracts/outbox';
import type { Db } from '../../db/connect';
import { drainOutbox } from '../../db/outbox';

/** Each holds a connection for as long as Temporal takes to answer. */
const SIDE_BY_SIDE = 4;

export class SignalDelivery {
  readonly #db: Db;
  readonly #send: SendSignal;
  readonly #log: Logger;
  readonly #waiting = new Set<string>();
  readonly #underWay = new Map<string, Promise<void>>();

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

  /** Resolves when delivery to the workflow was tried, whatever came of it. */
  async tried(workflowId: string): Promise<void> {
    this.poke([workflowId]);
    while (this.#waiting.has(workflowId)) await Promise.race(this.#underWay.values());
    await this.#underWay.get(workflowId);
  }

  async idle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay.values());
  }

  /** A workflow being delivered to waits its turn: it may have looked before the newest signal was there. */
  #start(): void {
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
