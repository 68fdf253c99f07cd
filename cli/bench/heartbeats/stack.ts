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
  parts: Record<'database' | 'temporal' | 'api' | 'worker', Part>;
  /** Another API on the same database and Temporal, until `work` is done. */
  withOwnApi<T>(env: NodeJS.ProcessEnv, work: (apiUrl: string) => Promise<T>): Promise<T>;
  /** Kills the API, and starts it again at its address when `meanwhile` is done. */
  withoutApi(meanwhile: () => Promise<void>): Promise<void>;
  /** Never resolves; rejects with a PartError when one ends that should run. */
  failsEarly(): Promise<never>;
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
    const startApi = (name: string, own: NodeJS.ProcessEnv) =>
      start(name, 'api/main.js', { PORT: '0', HEARTBEAT_SIGNALS: 'news', ...own }, API_MEMORY_FLAGS);
    const urlOf = async (api: Part) => (await api.ready<{ type: 'ready'; url: string }>(READY_MS)).url;
    const api = await startApi('api', {});
    const [apiUrl] = await Promise.all([urlOf(api), worker.ready(READY_MS)]);
    const parts = { database: database.part, temporal, api, worker };
    const expected = new Set<Part>();
    const failure = (part: Part) =>
      part.failsEarly().catch((error: unknown) => {
        if (!expected.has(part)) throw error;
      });
    return {
      ...{ apiUrl, databaseUrl, temporalAddress, clientId, clientToken, parts, stop },
      async withOwnApi(own, work) {
        const another = await startApi('second API', own);
        try {
          return await work(await urlOf(another));
        } finally {
          await another.stop();
        }
      },
      async withoutApi(meanwhile) {
        expected.add(parts.api);
        parts.api.kill();
        await parts.api.exited;
        await meanwhile();
        parts.api = await startApi('api', { PORT: new URL(apiUrl).port });
        await urlOf(parts.api);
      },
      failsEarly: () =>
        new Promise<never>((_resolve, reject) => {
          for (const part of Object.values(parts)) failure(part).catch(reject);
        }),
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
