/**
 * The fleet for Prometheus. However often and by how many it is scraped, the books are read by one at a time, at most
 * once in some seconds, and never for more than a small share of the time.
 */
import type { Client } from '@temporalio/client';
import type { Logger } from 'pino';
import { Gauge, Registry } from 'prom-client';
import type { Db } from '../../db/connect';
import { readFleetFigures } from '../../db/fleet-figures';
import { AccountWorkersWatch } from './account-workers';
import { FleetCounters } from './fleet-counters';
import { fleetText } from './fleet-gauges';

export interface FleetMetricsParts {
  /** Under the role spotkeeper_metrics. */
  metricsDb: Db;
  temporal: Client;
  /** At most so many agents get series of their own, of each kind. */
  agentSeries: number;
  /** 0 reads at every scrape. */
  cacheSeconds: number;
  log: Logger;
}

interface Reading {
  named: string;
  unnamed: string;
}

/** A reading that took a second is good for twenty. */
const REST = 20;
/** Temporal is asked for workers at every so many readings. */
const ASKED_AFTER = 3;
/** Prometheus itself gives up after ten seconds. */
const PATIENCE_MS = 7_000;
const LOGGED_EVERY_MS = 60_000;

export class FleetMetrics {
  readonly #parts: FleetMetricsParts;
  readonly #counters = new FleetCounters();
  readonly #workers: AccountWorkersWatch;
  #underWay: Promise<void> | null = null;
  #latest: Reading = { named: '', unnamed: '' };
  #goodUntilMs = 0;
  #loggedAtMs = -LOGGED_EVERY_MS;

  constructor(parts: FleetMetricsParts) {
    this.#parts = parts;
    this.#workers = new AccountWorkersWatch(parts.temporal, ASKED_AFTER * parts.cacheSeconds * 1000);
  }

  /**
   * While the books can't be read, only the counters as they were, and that they can't.
   * @param named whether clients, accounts, agents and instances are named; else only sums are shown.
   */
  async text(named: boolean): Promise<string> {
    if (performance.now() >= this.#goodUntilMs) {
      this.#underWay ??= this.#read().finally(() => (this.#underWay = null));
      if (!(await inTime(this.#underWay))) return this.#unread(PATIENCE_MS);
    }
    return this.#latest[named ? 'named' : 'unnamed'];
  }

  /** Resolves when nothing is under way. */
  async stop(): Promise<void> {
    await this.#underWay;
  }

  async #read(): Promise<void> {
    const { metricsDb, agentSeries, cacheSeconds } = this.#parts;
    const started = performance.now();
    try {
      const figures = await readFleetFigures(metricsDb, agentSeries);
      await this.#counters.count(metricsDb, figures.missedHeartbeats);
      const tookMs = performance.now() - started;
      const workers = await this.#workers.look(figures.places);
      const shared = `${await this.#counters.text()}\n${await readingText(true, tookMs)}`;
      this.#latest = {
        named: `${await fleetText(figures, workers, true)}\n${shared}`,
        unnamed: `${await fleetText(figures, workers, false)}\n${shared}`,
      };
      this.#goodUntilMs = started + (cacheSeconds === 0 ? 0 : Math.max(cacheSeconds * 1000, REST * tookMs));
    } catch (error) {
      this.#log(error);
      const text = await this.#unread(performance.now() - started);
      this.#latest = { named: text, unnamed: text };
      this.#goodUntilMs = performance.now() + cacheSeconds * 1000;
    }
  }

  async #unread(tookMs: number): Promise<string> {
    return `${await this.#counters.text()}\n${await readingText(false, tookMs)}`;
  }

  #log(error: unknown): void {
    if (performance.now() - this.#loggedAtMs < LOGGED_EVERY_MS) return;
    this.#loggedAtMs = performance.now();
    this.#parts.log.error({ err: error }, 'the figures of the fleet can not be read for Prometheus');
  }
}

async function inTime(work: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), PATIENCE_MS);
  });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

function readingText(ok: boolean, tookMs: number): Promise<string> {
  const registry = new Registry();
  const registers = [registry];
  new Gauge({
    name: 'spotkeeper_fleet_reading_ok',
    help: 'Whether the fleet could be read from the database.',
    registers,
  }).set(ok ? 1 : 0);
  new Gauge({
    name: 'spotkeeper_fleet_reading_seconds',
    help: 'How long reading it took.',
    registers,
  }).set(tookMs / 1000);
  return registry.metrics();
}
