/**
 * How a worker's periodic tasks and its messages to people fare, for Prometheus: beside the metrics of the Temporal SDK, and like those exported at
 * METRICS_ADDRESS alone.
 */
import { Runtime } from '@temporalio/worker';
import type { DeliveryAttempt } from '../activities/notifications/notification-activities';
import type { ChannelKind } from '../contracts/notifications';

/** All from the start: an increase from nothing to one is none to Prometheus. */
const CHANNEL_KINDS = ['slack', 'email', 'webhook'] as const satisfies readonly ChannelKind[];

const SECONDS = 'spotkeeper_worker_round_seconds';

/** Upper ends of the histogram, for the options of the runtime. */
export const ROUND_BUCKETS = { [SECONDS]: [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] };

/** To be made once the runtime is installed. */
export class RoundMetrics {
  readonly #rounds;
  readonly #seconds;
  readonly #success;
  readonly #leases;
  readonly #attempts;

  constructor() {
    const meter = Runtime.instance().metricMeter;
    this.#rounds = meter.createCounter(
      'spotkeeper_worker_rounds_total',
      '',
      'Rounds of a periodic task, by outcome.',
    );
    this.#seconds = meter.createHistogram(SECONDS, 'float', '', 'Seconds that a round took.');
    this.#success = meter.createGauge(
      'spotkeeper_worker_last_success_timestamp_seconds',
      'float',
      '',
      'When a round ended well last.',
    );
    this.#leases = meter.createCounter(
      'spotkeeper_leases_swept_total',
      '',
      'Leases that ran out (lost), or that were extended after a pause of our own (extended).',
    );
    for (const result of ['lost', 'extended'] as const) this.#leases.add(0, { result });
    this.#attempts = meter.createCounter(
      'spotkeeper_notification_attempts_total',
      '',
      'Attempts to deliver a message, by the kind of channel, what came of it, and whether it was a repeated one.',
    );
    for (const kind of CHANNEL_KINDS) {
      for (const result of ['delivered', 'failed', 'refused'] as const) {
        for (const repeated of [false, true]) this.#attempts.add(0, { kind, result, repeated });
      }
    }
  }

  /** The same round, watched. */
  measured<T>(task: string, round: () => Promise<T>): () => Promise<T> {
    for (const outcome of ['done', 'failed'] as const) this.#rounds.add(0, { task, outcome });
    return async () => {
      const started = performance.now();
      let outcome: 'done' | 'failed' = 'failed';
      try {
        const result = await round();
        outcome = 'done';
        this.#success.set(Date.now() / 1000, { task });
        return result;
      } finally {
        this.#rounds.add(1, { task, outcome });
        this.#seconds.record((performance.now() - started) / 1000, { task });
      }
    };
  }

  leasesSwept({ lost, extended }: { lost: number; extended: number }): void {
    this.#leases.add(lost, { result: 'lost' });
    this.#leases.add(extended, { result: 'extended' });
  }

  notificationAttempted({ kind, result, repeated }: DeliveryAttempt): void {
    this.#attempts.add(1, { kind, result, repeated });
  }
}
