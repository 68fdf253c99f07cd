/** Workers inside the test's process, with the real activities, for where a process of their own can't be used. */
import type { Client } from '@temporalio/client';
import { DefaultLogger, type NativeConnection, Runtime, Worker } from '@temporalio/worker';
import path from 'node:path';
import { createBookActivities } from '../../activities/book-activities';
import { createChildActivities } from '../../activities/child-activities';
import { createEc2Activities } from '../../activities/ec2-activities';
import { createRestActivities } from '../../activities/rest-activities';
import { TERMINATION_CAP } from '../../db/stop-guards';
import { AwsCloud } from '../../cloud/aws-cloud';
import { ec2TaskQueue } from '../../contracts/ids';
import type { Db } from '../../db/connect';
import { ROOT } from './servers';

export const WORKFLOW_BUNDLE = { codePath: path.join(ROOT, 'dist', 'workflow-bundle.js') };

export interface InProcessWorkers {
  stop(): Promise<void>;
}

export interface WorkerParts {
  connection: NativeConnection;
  client: Client;
  db: Db;
  taskQueue: string;
  cloud: { cloudUrl: string; region: string; accountId: string };
}

/** Points this process's AWS SDK at a simulated cloud. */
export function useCloud(cloudUrl: string): void {
  process.env['AWS_ENDPOINT_URL'] = cloudUrl;
  process.env['AWS_ACCESS_KEY_ID'] = 'test';
  process.env['AWS_SECRET_ACCESS_KEY'] = 'test';
}

export async function startWorkersInProcess(parts: WorkerParts): Promise<InProcessWorkers> {
  const { connection, client, db, taskQueue } = parts;
  const { cloudUrl, region, accountId } = parts.cloud;
  useCloud(cloudUrl);
  const cloud = new AwsCloud({ region });
  const workers = await Promise.all([
    Worker.create({
      connection,
      taskQueue,
      workflowBundle: WORKFLOW_BUNDLE,
      activities: {
        ...createBookActivities(db),
        ...createChildActivities(client),
        ...createRestActivities(db),
      },
    }),
    Worker.create({
      connection,
      taskQueue: ec2TaskQueue(accountId, region),
      activities: createEc2Activities({
        cloud,
        db,
        apiPublicUrl: 'http://127.0.0.1:9',
        terminationCap: TERMINATION_CAP,
      }),
    }),
  ]);
  const running = Promise.all(workers.map((worker) => worker.run()));
  return {
    async stop() {
      for (const worker of workers) worker.shutdown();
      await running;
      cloud.destroy();
    },
  };
}

let installed = false;

/** Quiet, and leaving the process's signals alone. Call it before anything else of Temporal's. */
export function installRuntime(): void {
  if (installed) return;
  installed = true;
  Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [] });
}
