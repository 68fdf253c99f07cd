/** Sends this process's own news on right after their commit; what fails here is the worker's relay's. */
import { once } from 'node:events';
import type { Logger } from 'pino';
import type { SendSignal } from '../../contracts/outbox';
import type { Db } from '../../db/connect';
import { drainOutbox } from '../../db/outbox';

/** Each holds a connection for as long as Temporal takes to answer. */
const SIDE_BY_SIDE = 4;
/** Delivered together. */
const WORKFLOWS = 50;
/** What is committed arrives; its sender isn't kept waiting for that. */
const LONGEST_WAIT_MS = 2_000;
/** While Temporal is away it isn't asked for every heartbeat. */
const PAUSE_MS = 2_000;

export class SignalDelivery {
  readonly #db: Db;
  readonly #send: SendSignal;
  readonly #log: Logger;
  readonly #waiting = new Set<string>();
  readonly #underWay = new Map<string, Promise<void>>();
  #rounds = 0;
  /** Nothing could be delivered lately: until then nothing is tried, and then by one round at a time. */
  #awayUntilMs: number | null = null;
  #stopped = false;

  constructor(db: Db, send: SendSignal, log: Logger) {
    this.#db = db;
    this.#send = send;
    this.#log = log;
  }

  /** Soon delivers what the outbox holds for these workflows. */
  poke(workflowIds: Iterable<string>): void {
    if (this.#stopped || Date.now() < (this.#awayUntilMs ?? 0)) return;
    for (const workflowId of workflowIds) this.#waiting.add(workflowId);
    this.#start();
  }

  /**
   * Resolves when delivery to the workflow was tried, whatever came of it, or takes too long to wait for; at once while
   * Temporal is away.
   */
  async tried(workflowId: string): Promise<void> {
    if (this.#awayUntilMs !== null) return this.poke([workflowId]);
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), LONGEST_WAIT_MS);
    const gaveUp = once(late.signal, 'abort');
    this.poke([workflowId]);
    while (this.#waiting.has(workflowId) && !late.signal.aborted) {
      await Promise.race([...this.#underWay.values(), gaveUp]);
    }
    await Promise.race([this.#underWay.get(workflowId), gaveUp]);
    clearTimeout(timer);
    if (late.signal.aborted) this.#isAway();
  }

  /** Ends what is under way and begins nothing more: what waits is the relay's. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#waiting.clear();
    await Promise.all(this.#underWay.values());
  }

  /** A workflow being delivered to waits its turn: it may have looked before the newest signal was there. */
  #start(): void {
    while (this.#rounds < (this.#awayUntilMs === null ? SIDE_BY_SIDE : 1)) {
      const workflowIds: string[] = [];
      for (const workflowId of this.#waiting) {
        if (this.#underWay.has(workflowId)) continue;
        workflowIds.push(workflowId);
        if (workflowIds.length >= WORKFLOWS) break;
      }
      if (workflowIds.length === 0) return;
      const delivering = this.#deliver(workflowIds);
      for (const workflowId of workflowIds) {
        this.#waiting.delete(workflowId);
        this.#underWay.set(workflowId, delivering);
      }
    }
  }

  async #deliver(workflowIds: string[]): Promise<void> {
    this.#rounds += 1;
    try {
      const { delivered, failed } = await drainOutbox(this.#db, this.#send, { workflowIds });
      if (failed > 0) this.#log.warn({ failed, workflowIds }, 'signals wait in the outbox');
      if (failed > 0 && delivered === 0) this.#isAway();
      else this.#awayUntilMs = null;
    } catch (error) {
      this.#log.warn({ err: error }, 'signals wait in the outbox: the database did not answer');
      this.#isAway();
    } finally {
      this.#rounds -= 1;
      for (const workflowId of workflowIds) this.#underWay.delete(workflowId);
      this.#start();
    }
  }

  /** What waits here waits in the outbox as well. */
  #isAway(): void {
    this.#awayUntilMs = Date.now() + PAUSE_MS;
    this.#waiting.clear();
  }
}
