/** A system of a bench's own: database, Temporal, API and worker as processes, on this machine's disk, without a cloud. */
import path from 'node:path';
import { DIST } from '../../checkout';
import { anyFreePort } from '../../parts/free-port';
import { Part } from '../../parts/part';
import { findTemporalBinary } from '../../parts/temporal-binary';
import { startTemporalServer } from '../../parts/temporal-server';
import { API_MEMORY_FLAGS } from '../../start/node-parts';
import { startOwnDatabase } from '../own-database';

const READY_MS = 45_000;
const NOWHERE = '127.0.0.1:9';
const ACCOUNT = '000000000000';

export interface Stack {
  apiUrl: string;
  databaseUrl: string;
  temporalAddress: string;
  clientToken: string;
  clientId: string;
  /** By name; the end of one during the bench is a failure. */
  parts: Record<'database' | 'temporal' | 'api' | 'worker', Part>;
  stop(): Promise<void>;
}

interface StackOptions {
  env: NodeJS.ProcessEnv;
  say: (line: string) => void;
  signal: AbortSignal;
}

/** @throws PartError if one of them doesn't start; nothing is left then. */
export async function startStack({ env, say, signal }: StackOptions): Promise<Stack> {
  const database = await startOwnDatabase(env, say);
  const { folder, clientId, clientToken, url: databaseUrl } = database;
  const log = (name: string) => path.join(folder, `${name}.log`);
  const started: Part[] = [];
  const keep = (part: Part) => {
    started.push(part);
    signal.throwIfAborted();
    return part;
  };
  const stop = async () => {
    for (const part of started.reverse()) await part.stop();
    await database.stop();
  };
  try {
    const { path: binary } = await findTemporalBinary({ env, say, signal });
    const port = await anyFreePort();
    const temporal = keep(
      await startTemporalServer({
        binary,
        port,
        uiPort: null,
        databaseFile: path.join(folder, 'temporal.db'),
        logFile: log('temporal'),
      }),
    );
    const temporalAddress = `127.0.0.1:${port}`;
    const start = async (name: string, script: string, own: NodeJS.ProcessEnv, flags: string[] = []) =>
      keep(
        await Part.start({
          name: `the bench's ${name}`,
          command: process.execPath,
          args: [...flags, path.join(DIST, script)],
          env: {
            ...env,
            DATABASE_URL: databaseUrl,
            TEMPORAL_ADDRESS: temporalAddress,
            TASK_QUEUE: 'bench',
            LOG_LEVEL: 'warn',
            ...own,
          },
          logFile: log(name),
          ipc: true,
        }),
      );
    const worker = await start('worker', 'workers/main.js', {
      AWS_ACCOUNT_ID: ACCOUNT,
      AWS_REGIONS: 'us-east-1',
      AWS_ENDPOINT_URL: `http://${NOWHERE}`,
      AWS_ACCESS_KEY_ID: 'bench',
      AWS_SECRET_ACCESS_KEY: 'bench',
      API_PUBLIC_URL: `http://${NOWHERE}`,
    });
    const api = await start('api', 'api/main.js', { PORT: '0', HEARTBEAT_SIGNALS: 'news' }, API_MEMORY_FLAGS);
    const [{ url: apiUrl }] = await Promise.all([
      api.ready<{ type: 'ready'; url: string }>(READY_MS),
      worker.ready(READY_MS),
    ]);
    const parts = { database: database.part, temporal, api, worker };
    return { apiUrl, databaseUrl, temporalAddress, clientId, clientToken, parts, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
