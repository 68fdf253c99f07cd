/** Workflows and activities on the real server, inside the test's process, with a simulated cloud without agents. */
import type { Client } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { connectDatabase, type Db } from '../../db/connect';
import { createTestDatabase } from './database';
import { seedClient } from './seed';
import { type Simulator, startSimulator } from './simulator';
import { connectTemporal, uniqueAccount, uniqueTaskQueue } from './temporal';
import { installRuntime, startWorkersInProcess } from './workers';

export interface ControlPlane {
  client: Client;
  db: Db;
  databaseUrl: string;
  simulator: Simulator;
  taskQueue: string;
  /** The one in the books. */
  clientId: string;
  stop(): Promise<void>;
}

/** @param cloud flags of the simulator besides. */
export async function startControlPlane(...cloud: string[]): Promise<ControlPlane> {
  installRuntime();
  const [temporal, database, simulator] = await Promise.all([
    connectTemporal(),
    createTestDatabase(),
    // An account of its own names task queues of its own; the server is shared by all test files.
    startSimulator(
      ...[
        '--account',
        uniqueAccount(),
        '--boot',
        'none',
        '--synthetic',
        '1',
        '--boot-seconds',
        '0',
        ...cloud,
      ],
    ),
  ]);
  const { client } = temporal;
  const connection = await NativeConnection.connect({ address: temporal.address });
  const db = connectDatabase(database.url, 'spotkeeper_worker');
  const taskQueue = uniqueTaskQueue();
  const clientId = `client-${taskQueue}`;
  await seedClient(database.url, clientId);
  const workers = await startWorkersInProcess({ connection, client, db, taskQueue, cloud: simulator.ready });
  return {
    client,
    db,
    databaseUrl: database.url,
    simulator,
    taskQueue,
    clientId,
    async stop() {
      await workers.stop();
      await db.destroy();
      await connection.close();
      await temporal.close();
      await simulator.stop();
      await database.drop();
    },
  };
}
