/** The Temporal workers of one process: one for workflows and books, and one a region for the account's EC2 steps. */
import path from 'node:path';
import type { Client } from '@temporalio/client';
import { type NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import { createBookActivities } from '../activities/book-activities';
import { createChildActivities } from '../activities/child-activities';
import { createEc2Activities } from '../activities/ec2-activities';
import {
  createNotificationActivities,
  type NotificationDependencies,
} from '../activities/notifications/notification-activities';
import { createPriceActivities } from '../activities/price-activities';
import { createRestActivities } from '../activities/rest-activities';
import type { CloudPort } from '../cloud/cloud-port';
import { ec2TaskQueue } from '../contracts/ids';
import type { Db } from '../db/connect';
import type { TerminationCap } from '../db/stop-guards';

export interface WorkerSetOptions {
  connection: NativeConnection;
  namespace: string;
  client: Client;
  db: Db;
  taskQueue: string;
  accountId: string;
  /** By region. */
  clouds: ReadonlyMap<string, CloudPort>;
  /** Resolves once the clouds are known to be the account's, or to false when it never will be. */
  accountProven: (stopped: AbortSignal) => Promise<boolean>;
  apiPublicUrl: string;
  terminationCap: TerminationCap;
  notifications: Omit<NotificationDependencies, 'db'>;
}

export interface WorkerSet {
  /** Rejects when a worker fails or the account is another's; resolves after `stop()`. */
  run(): Promise<void>;
  stop(): void;
}

export async function createWorkerSet(options: WorkerSetOptions): Promise<WorkerSet> {
  const { connection, namespace, client, db, taskQueue, accountId, clouds, apiPublicUrl, terminationCap } =
    options;
  const shared: Pick<WorkerOptions, 'connection' | 'namespace' | 'shutdownGraceTime'> = {
    connection,
    namespace,
    shutdownGraceTime: '3 s',
  };
  const stopping = new AbortController();
  const workers = [
    await Worker.create({
      ...shared,
      taskQueue,
      workflowBundle: { codePath: path.join(__dirname, '..', 'workflow-bundle.js') },
      activities: {
        ...createBookActivities(db),
        ...createChildActivities(client),
        ...createRestActivities(db),
        ...createNotificationActivities({ ...options.notifications, db }),
      },
      // A killed worker's workflows go to another one after this, rather than after ten seconds.
      stickyQueueScheduleToStartTimeout: '2 s',
    }),
  ];

  async function serveEc2(): Promise<void> {
    if (!(await options.accountProven(stopping.signal)) || stopping.signal.aborted) return;
    const ec2Workers = await Promise.all(
      [...clouds].map(([region, cloud]) =>
        Worker.create({
          ...shared,
          taskQueue: ec2TaskQueue(accountId, region),
          activities: {
            ...createEc2Activities({ cloud, db, apiPublicUrl, terminationCap }),
            ...createPriceActivities({ prices: cloud.market, db }),
          },
        }),
      ),
    );
    workers.push(...ec2Workers);
    const running = ec2Workers.map((worker) => worker.run());
    if (stopping.signal.aborted) stop();
    await Promise.all(running);
  }

  function stop(): void {
    stopping.abort();
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  }

  return {
    async run() {
      const running = [...workers.map((worker) => worker.run()), serveEc2()];
      try {
        await Promise.all(running);
      } finally {
        // One that failed takes the others with it.
        stop();
        await Promise.allSettled(running);
      }
    },
    stop,
  };
}
