/** The Temporal workers of one process: one for workflows and books, and one a region for the account's EC2 steps. */
import path from 'node:path';
import type { Client } from '@temporalio/client';
import { type NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import { createBookActivities } from '../activities/book-activities';
import { createChildActivities } from '../activities/child-activities';
import { createEc2Activities } from '../activities/ec2-activities';
import { AwsCloud } from '../cloud/aws-cloud';
import { ec2TaskQueue } from '../contracts/ids';
import type { Db } from '../db/connect';

export interface WorkerSetOptions {
  connection: NativeConnection;
  namespace: string;
  client: Client;
  db: Db;
  taskQueue: string;
  accountId: string;
  regions: readonly string[];
  apiPublicUrl: string;
}

export interface WorkerSet {
  /** Rejects when a worker fails; resolves after `stop()`. */
  run(): Promise<void>;
  stop(): void;
}

export async function createWorkerSet(options: WorkerSetOptions): Promise<WorkerSet> {
  const { connection, namespace, client, db, taskQueue, accountId, regions, apiPublicUrl } = options;
  const shared: Pick<WorkerOptions, 'connection' | 'namespace' | 'shutdownGraceTime'> = {
    connection,
    namespace,
    shutdownGraceTime: '3 s',
  };
  const clouds = regions.map((region) => ({ region, cloud: new AwsCloud({ region }) }));
  const workers = await Promise.all([
    Worker.create({
      ...shared,
      taskQueue,
      workflowBundle: { codePath: path.join(__dirname, '..', 'workflow-bundle.js') },
      activities: { ...createBookActivities(db), ...createChildActivities(client) },
      // A killed worker's workflows go to another one after this, rather than after ten seconds.
      stickyQueueScheduleToStartTimeout: '2 s',
    }),
    ...clouds.map(({ region, cloud }) =>
      Worker.create({
        ...shared,
        taskQueue: ec2TaskQueue(accountId, region),
        activities: createEc2Activities({ cloud, db, apiPublicUrl }),
      }),
    ),
  ]);
  return {
    async run() {
      await Promise.all(workers.map((worker) => worker.run()));
      for (const { cloud } of clouds) cloud.destroy();
    },
    stop() {
      for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
    },
  };
}
