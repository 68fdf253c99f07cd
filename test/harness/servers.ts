/** The servers that all test files of a run share, and where the files learn their addresses. */
import { type ChildProcess, execFile, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { anyFreePort } from '../../cli/parts/free-port';
import type { Part } from '../../cli/parts/part';
import { postgresBinaries } from '../../cli/parts/postgres-binaries';
import {
  ensureDatabase,
  initialisePostgres,
  postgresUrl,
  startPostgres,
} from '../../cli/parts/postgres-server';
import { postgresUser } from '../../cli/parts/postgres-user';
import { findTemporalBinary } from '../../cli/parts/temporal-binary';
import { startTemporalServer } from '../../cli/parts/temporal-server';

export const ROOT = path.resolve(__dirname, '..', '..');
const VARIABLE = 'SPOTKEEPER_TEST_SERVERS';
export const TEMPLATE = 'spotkeeper_template';

export interface TestServers {
  /** Of the database `postgres`; the login is a superuser. */
  postgresUrl: string;
  /** host:port, namespace `default`, the real development server. */
  temporalAddress: string;
  /** A found Temporal CLI. */
  temporalBinary: string;
  /** Removed when the run ends. Any system user can enter it. */
  folder: string;
}

/** The addresses, inside a test file. */
export function testServers(): TestServers {
  const text = process.env[VARIABLE];
  if (!text) throw new Error('The test servers do not run: start tests with jest and its configuration.');
  return JSON.parse(text) as TestServers;
}

/** Whether an enclosing run has handed its servers down. */
export function areHandedDown(): boolean {
  return Boolean(process.env[VARIABLE]);
}

export interface RunningServers {
  stop(): Promise<void>;
}

/** Starts both servers, migrates the template database and hands the addresses to all test files. */
export async function startServers(): Promise<RunningServers> {
  const folder = mkdtempSync(path.join(tmpdir(), 'spotkeeper-test-'));
  chmodSync(folder, 0o755);
  const keeper = fork(path.join(__dirname, 'keeper.mjs'), [folder], { detached: true, stdio: 'inherit' });
  try {
    const [postgres, temporal] = await Promise.all([
      startDatabase(folder, keeper),
      startTemporal(folder, keeper),
    ]);
    const servers: TestServers = { ...postgres, ...temporal, folder };
    process.env[VARIABLE] = JSON.stringify(servers);
    return { stop: () => stopKeeper(keeper) };
  } catch (error) {
    await stopKeeper(keeper);
    throw error;
  }
}

async function stopKeeper(keeper: ChildProcess): Promise<void> {
  const exited = once(keeper, 'exit');
  keeper.disconnect();
  await exited;
}

async function startDatabase(
  folder: string,
  keeper: ChildProcess,
): Promise<Pick<TestServers, 'postgresUrl'>> {
  const user = postgresUser(console.log);
  const password = randomBytes(16).toString('hex');
  const options = {
    binaries: postgresBinaries(user, console.log),
    user,
    dataFolder: path.join(folder, 'postgres'),
    password,
    port: await anyFreePort(),
    logFile: path.join(folder, 'postgres.log'),
    settings: { fsync: 'off', full_page_writes: 'off' },
  };
  await initialisePostgres(options);
  const part = await startPostgres(options);
  keep(keeper, part, 'SIGINT');
  const url = postgresUrl(password, options.port, 'postgres');
  await ensureDatabase(url, TEMPLATE);
  await promisify(execFile)(process.execPath, [path.join(ROOT, 'dist', 'db', 'migrate-main.js')], {
    env: { ...process.env, DATABASE_URL: postgresUrl(password, options.port, TEMPLATE) },
  });
  return { postgresUrl: url };
}

async function startTemporal(
  folder: string,
  keeper: ChildProcess,
): Promise<Pick<TestServers, 'temporalAddress' | 'temporalBinary'>> {
  const { path: binary } = await findTemporalBinary({ env: process.env, say: console.log });
  const port = await anyFreePort();
  const part = await startTemporalServer({
    binary,
    port,
    uiPort: null,
    databaseFile: null,
    logFile: path.join(folder, 'temporal.log'),
  });
  keep(keeper, part, 'SIGTERM');
  return { temporalAddress: `127.0.0.1:${port}`, temporalBinary: binary };
}

function keep(keeper: ChildProcess, part: Part, signal: NodeJS.Signals): void {
  keeper.send({ pid: part.pid, signal });
}
