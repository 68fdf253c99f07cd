/** The control worker: workflows, books, the EC2 steps of its own account, the lease sweep and the relays. */
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';
import pino from 'pino';
import { AwsCloud } from '../cloud/aws-cloud';
import { EnvironmentError } from '../contracts/environment';
import { connectDatabase } from '../db/connect';
import { pruneHistory } from '../db/history-pruning';
import { sweepLeases } from '../db/lease-sweep';
import { sweepSync } from '../db/replicas';
import { announceWaitingEvents } from '../db/notification-relay';
import { TERMINATION_CAP } from '../db/stop-guards';
import { drainOutbox } from '../db/outbox';
import { compactOutbox, removeUndeliverable } from '../db/outbox-compaction';
import { connectTemporal } from '../temporal/connect';
import { notifyStarter } from '../temporal/notify-starter';
import { ensurePriceSchedule } from '../temporal/price-schedule';
import { ensureSearchAttributes } from '../temporal/search-attributes';
import { connectionOptions } from '../temporal/settings';
import { signalSender } from '../temporal/signal-sender';
import { askAccount, provenAccount } from './account-proof';
import { notificationParts } from './notification-settings';
import { periodically } from './periodic';
import { ROUND_BUCKETS, RoundMetrics } from './round-metrics';
import { keepSamplesPeriodically } from './sample-keeping';
import { readWorkerSettings } from './settings';
import { createWorkerSet } from './worker-set';

const TIDY_MS = 15_000;

async function main(): Promise<void> {
  const settings = readWorkerSettings(process.env);
  const log = pino({ level: settings.LOG_LEVEL, base: { process: 'worker' } });
  const accountId = settings.AWS_ACCOUNT_ID;
  const { regions, assumeRole } = settings;
  const clouds = new Map(regions.map((region) => [region, new AwsCloud({ region, assumeRole })]));
  const question = { identity: clouds.get(regions[0]!)!.identity, accountId, log };
  const account = await askAccount(question);
  Runtime.install({
    shutdownSignals: [],
    telemetryOptions: settings.METRICS_ADDRESS
      ? {
          metrics: {
            prometheus: { bindAddress: settings.METRICS_ADDRESS, histogramBucketOverrides: ROUND_BUCKETS },
          },
        }
      : {},
    logger: new DefaultLogger('WARN', ({ level, message, meta }) =>
      log[level === 'WARN' ? 'warn' : 'error']({ ...meta }, message),
    ),
  });
  const metrics = new RoundMetrics();
  const { client, connection, close } = await connectTemporal(settings);
  await ensureSearchAttributes(connection, settings.TEMPORAL_NAMESPACE);
  const nativeConnection = await NativeConnection.connect(connectionOptions(settings));
  const db = connectDatabase(settings.DATABASE_URL, 'spotkeeper_worker');
  const workers = await createWorkerSet({
    connection: nativeConnection,
    namespace: settings.TEMPORAL_NAMESPACE,
    client,
    db,
    taskQueue: settings.TASK_QUEUE,
    accountId,
    clouds,
    accountProven: (stopped) => provenAccount(question, account, stopped),
    apiPublicUrl: settings.API_PUBLIC_URL,
    terminationCap: {
      ...TERMINATION_CAP,
      windowSeconds: TERMINATION_CAP.windowSeconds / settings.SPOTKEEPER_SPEED,
    },
    notifications: {
      ...notificationParts(settings),
      attempted: (attempt) => metrics.notificationAttempted(attempt),
    },
  });

  for (const region of settings.regions) {
    const place = { accountId: settings.AWS_ACCOUNT_ID, region, taskQueue: settings.TASK_QUEUE };
    await ensurePriceSchedule(client, place).catch((error: unknown) =>
      log.warn({ err: error, region }, 'no Schedule for prices, so costs stay as known'),
    );
  }

  const sweepMs = settings.LEASE_SWEEP_MS;
  const sweepOnce = metrics.measured('lease_sweep', async () => {
    const result = await sweepLeases(db, (3 * sweepMs) / 1000);
    metrics.leasesSwept(result);
    if (result.extended + result.lost > 0) log.info(result, 'leases swept');
    if (result.swept) await sweepSync(db);
  });
  const sweep = periodically('the lease sweep', sweepMs, log, sweepOnce);
  const send = signalSender(client);
  const relayOnce = metrics.measured('outbox_relay', () =>
    drainOutbox(db, send, { minAgeMs: settings.OUTBOX_RELAY_MS }),
  );
  const relay = periodically('the outbox relay', settings.OUTBOX_RELAY_MS, log, relayOnce);
  const limits = {
    infoEvents: settings.EVENTS_INFO_DAYS,
    alertEvents: settings.EVENTS_ALERT_DAYS,
    notifications: settings.NOTIFICATIONS_DAYS,
  };
  const tidyOnce = metrics.measured('tidying', async () => {
    const outbox = { saidNothing: await compactOutbox(db), undeliverable: await removeUndeliverable(db) };
    const history = await pruneHistory(db, limits);
    const removed = { outbox, history };
    if (Object.values({ ...outbox, ...history }).some((rows) => rows > 0)) log.info(removed, 'tidied up');
  });
  const tidying = periodically('the tidying up', TIDY_MS, log, tidyOnce);
  const notify = notifyStarter(client, settings.TASK_QUEUE);
  const notifyOnce = metrics.measured('notification_relay', () => announceWaitingEvents(db, notify));
  const notifications = periodically('the notification relay', settings.NOTIFY_RELAY_MS, log, notifyOnce);

  const samples = keepSamplesPeriodically(db, settings, metrics, log);

  let stopping = false;
  const stop = () => {
    if (stopping) return;
    stopping = true;
    workers.stop();
  };
  for (const event of ['SIGTERM', 'SIGINT', 'disconnect']) process.on(event, stop);

  const running = workers.run();
  process.send?.({ type: 'ready' });
  log.info(
    { taskQueue: settings.TASK_QUEUE, account: accountId, regions, accountProven: account === true },
    'ready',
  );
  try {
    await running;
  } finally {
    for (const cloud of clouds.values()) cloud.destroy();
    await Promise.all([sweep.stop(), relay.stop(), tidying.stop(), samples.stop(), notifications.stop()]);
    await db.destroy();
    await nativeConnection.close();
    await close();
    if (process.connected) process.disconnect();
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(error instanceof EnvironmentError ? 2 : 1);
});
