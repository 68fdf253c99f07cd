/** A system of a bench's own: database, Temporal, API and worker as processes, on this machine's disk, without a cloud. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { CHECKOUT, DIST } from '../../checkout';
import { anyFreePort } from '../../parts/free-port';
import { Part } from '../../parts/part';
import { postgresBinaries } from '../../parts/postgres-binaries';
import { ensureDatabase, initialisePostgres, postgresUrl, startPostgres } from '../../parts/postgres-server';
import { canEnter, makeReachable, postgresUser } from '../../parts/postgres-user';
import { findTemporalBinary } from '../../parts/temporal-binary';
import { startTemporalServer } from '../../parts/temporal-server';

export const TASK_QUEUE = 'bench';
const READY_MS = 45_000;
const NOWHERE = '127.0.0.1:9';
const ACCOUNT = '000000000000';

export interface Stack {
  apiUrl: string;
  databaseUrl: string;
  temporalAddress: string;
  /** A client of the name `bench`. */
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
  const state = env.SPOTKEEPER_STATE_DIR || path.join(CHECKOUT, '.spotkeeper');
  mkdirSync(state, { recursive: true, mode: 0o711 });
  const folder = mkdtempSync(path.join(state, 'bench-'));
  chmodSync(folder, 0o755);
  const user = postgresUser(say);
  const elsewhere = canEnter(folder, user) ? null : mkdtempSync(path.join(makeReachable('bench'), 'run-'));
  if (elsewhere) chmodSync(elsewhere, 0o755);
  const log = (name: string) => path.join(folder, `${name}.log`);
  const started: [Part, NodeJS.Signals][] = [];
  const keep = (part: Part, stopSignal: NodeJS.Signals = 'SIGTERM') => {
    started.push([part, stopSignal]);
    signal.throwIfAborted();
    return part;
  };
  const stop = async () => {
    for (const [part, stopSignal] of started.reverse()) await part.stop(stopSignal);
    for (const one of [folder, elsewhere]) if (one) rmSync(one, { recursive: true, force: true });
  };
  try {
    const password = randomBytes(16).toString('hex');
    const binaries = postgresBinaries(user, say);
    const dataFolder = path.join(elsewhere ?? folder, 'postgres');
    await initialisePostgres({ binaries, user, dataFolder, password });
    const port = await anyFreePort();
    const database = keep(
      await startPostgres({ binaries, user, dataFolder, password, port, logFile: log('database') }),
      'SIGINT',
    );
    await ensureDatabase(postgresUrl(password, port, 'postgres'), 'bench');
    const databaseUrl = postgresUrl(password, port, 'bench');
    await run('db/migrate-main.js', [], { ...env, DATABASE_URL: databaseUrl });
    const seeded = await run('db/seed-main.js', ['--client', 'bench'], { ...env, DATABASE_URL: databaseUrl });
    const { clientId, tokens } = JSON.parse(seeded) as { clientId: string; tokens: { client: string } };

    const { path: binary } = await findTemporalBinary({ env, say, signal });
    const temporalPort = await anyFreePort();
    const temporal = keep(
      await startTemporalServer({
        binary,
        port: temporalPort,
        uiPort: null,
        databaseFile: path.join(folder, 'temporal.db'),
        logFile: log('temporal'),
      }),
    );
    const temporalAddress = `127.0.0.1:${temporalPort}`;
    const common = {
      ...env,
      DATABASE_URL: databaseUrl,
      TEMPORAL_ADDRESS: temporalAddress,
      TASK_QUEUE,
      LOG_LEVEL: 'warn',
    };
    const start = (name: string, script: string, own: NodeJS.ProcessEnv) =>
      Part.start({
        name: `the bench's ${name}`,
        command: process.execPath,
        args: [path.join(DIST, script)],
        env: { ...common, ...own },
        logFile: log(name),
        ipc: true,
      });
    const worker = keep(
      await start('worker', 'workers/main.js', {
        AWS_ACCOUNT_ID: ACCOUNT,
        AWS_REGIONS: 'us-east-1',
        AWS_ENDPOINT_URL: `http://${NOWHERE}`,
        AWS_ACCESS_KEY_ID: 'bench',
        AWS_SECRET_ACCESS_KEY: 'bench',
        API_PUBLIC_URL: `http://${NOWHERE}`,
      }),
    );
    const api = keep(await start('api', 'api/main.js', { PORT: '0', HEARTBEAT_SIGNALS: 'news' }));
    const [{ url }] = await Promise.all([
      api.ready<{ type: 'ready'; url: string }>(READY_MS),
      worker.ready(READY_MS),
    ]);
    const parts = { database, temporal, api, worker };
    return {
      apiUrl: url,
      databaseUrl,
      temporalAddress,
      clientId,
      clientToken: tokens.client,
      parts,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function run(script: string, args: string[], env: NodeJS.ProcessEnv): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [path.join(DIST, script), ...args], { env });
  return stdout;
}
