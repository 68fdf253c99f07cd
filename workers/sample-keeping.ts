/** The workers' part in the samples: partitions ahead of time, sums, and the end of what is too old or too much. */
import type { Logger } from 'pino';
import type { Db } from '../db/connect';
import { keepSamples, SAMPLE_LIMITS, type SampleLimits } from '../db/sample-parts';
import { type Periodic, periodically } from './periodic';
import type { RoundMetrics } from './round-metrics';
import type { WorkerSettings } from './settings';

const EVERY_MS = 30_000;

export function keepSamplesPeriodically(
  db: Db,
  settings: WorkerSettings,
  metrics: RoundMetrics,
  log: Logger,
): Periodic {
  const limits: SampleLimits = {
    ...SAMPLE_LIMITS,
    fullRateHours: settings.SAMPLES_FULL_RATE_HOURS,
    fullRateBytes: settings.SAMPLES_FULL_RATE_MB * 2 ** 20,
  };
  const keepOnce = metrics.measured('samples', async () => {
    const { dropped, droppedEarly, partsMade } = await keepSamples(db, limits);
    if (partsMade + dropped.length > 0) log.info({ partsMade, dropped }, 'parts of the samples kept up');
    if (droppedEarly.length > 0) {
      log.warn(
        { dropped: droppedEarly, limitMb: settings.SAMPLES_FULL_RATE_MB },
        `Samples at full rate fill SAMPLES_FULL_RATE_MB, so they are kept for less than ${limits.fullRateHours} hours; their sums are kept.`,
      );
    }
  });
  return periodically('the keeping of samples', EVERY_MS, log, keepOnce);
}
