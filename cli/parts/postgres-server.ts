/** The embedded PostgreSQL: made once, listening on 127.0.0.1 only, with a random password. */
import { execFile } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, rmSync, writeFileSync, renameSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { Part, type PartOptions } from './part';
import type { PostgresBinaries } from './postgres-binaries';
import type { SystemUser } from './postgres-user';
import { until } from './until';

const LOGIN = 'spotkeeper';

export interface PostgresOptions {
  binaries: PostgresBinaries;
  user: SystemUser | null;
  /** Holds all of the data; made by `initialisePostgres`. */
  dataFolder: string;
  password: string;
  port: number;
  logFile: string;
  onSpawn?: PartOptions['onSpawn'];
  /** Further server settings, for example `{fsync: 'off'}`. */
  settings?: Record<string, string>;
}

/**
 * Makes the data folder if it isn't there. One that was interrupted leaves nothing that looks finished.
 * @returns whether it made one.
 */
export async function initialisePostgres(
  options: Pick<PostgresOptions, 'binaries' | 'user' | 'dataFolder' | 'password'>,
): Promise<boolean> {
  const { binaries, user, dataFolder, password } = options;
  if (existsSync(path.join(dataFolder, 'PG_VERSION'))) return false;
  const unfinished = `${dataFolder}.new`;
  const passwordFile = `${dataFolder}.password`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true, mode: 0o700 });
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  if (user) for (const entry of [unfinished, passwordFile]) chownSync(entry, user.uid, user.gid);
  try {
    await promisify(execFile)(
      binaries.initdb,
      [
        ...['-D', unfinished, '--username', LOGIN, '--pwfile', passwordFile, '--auth', 'scram-sha-256'],
        ...['--encoding', 'UTF8', '--locale-provider', 'builtin', '--locale', 'C.UTF-8', '--no-instructions'],
      ],
      { ...(user ?? {}), cwd: '/' },
    );
    rmSync(dataFolder, { recursive: true, force: true });
    renameSync(unfinished, dataFolder);
    return true;
  } catch (error) {
    const said = (error as { stderr?: string }).stderr?.trim() || (error as Error).message;
    throw new Error(`PostgreSQL's data folder ${dataFolder} could not be made: ${said}`);
  } finally {
    rmSync(passwordFile, { force: true });
    rmSync(unfinished, { recursive: true, force: true });
  }
}

/**
 * Starts the server and waits until it takes logins. Stop it with `part.stop('SIGINT')` (its fast shutdown).
 * @throws PartError if it ends first.
 */
export async function startPostgres(options: PostgresOptions): Promise<Part> {
  const settings = {
    port: String(options.port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '200',
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...options.settings,
  };
  const part = await Part.start({
    name: 'the database',
    command: options.binaries.postgres,
    args: [
      '-D',
      options.dataFolder,
      ...Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`]),
    ],
    cwd: '/',
    logFile: options.logFile,
    user: options.user,
    onSpawn: options.onSpawn,
  });
  const url = postgresUrl(options.password, options.port, 'postgres');
  try {
    await Promise.race([
      part.failsEarly(),
      until('PostgreSQL takes logins', () => (part.ended ? true : logIn(url)), 60_000),
    ]);
    return part;
  } catch (error) {
    await part.stop('SIGINT');
    throw error;
  }
}

/** Makes the database if it isn't there. */
export async function ensureDatabase(serverUrl: string, name: string): Promise<void> {
  const client = new Client({ connectionString: serverUrl });
  await client.connect();
  try {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [name]);
    if (rowCount === 0) await client.query(`create database ${client.escapeIdentifier(name)}`);
  } finally {
    await client.end();
  }
}

export function postgresUrl(password: string, port: number, database: string): string {
  return `postgresql://${LOGIN}:${password}@127.0.0.1:${port}/${database}`;
}

/** One login; throws if the server doesn't take it. */
export async function logIn(url: string): Promise<true> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  client.on('error', () => undefined); // What breaks a connection is reported by the call that uses it.
  try {
    await client.connect();
    await client.query('select 1');
    return true;
  } finally {
    await client.end();
  }
}
