/** The database: the one that DATABASE_URL names, or the embedded PostgreSQL; migrated. */
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { DIST } from '../checkout';
import { postgresBinaries } from '../parts/postgres-binaries';
import {
  ensureDatabase,
  initialisePostgres,
  logIn,
  postgresUrl,
  startPostgres,
} from '../parts/postgres-server';
import {
  canEnter,
  makeReachable,
  postgresUser,
  REACHABLE_FOLDER,
  type SystemUser,
} from '../parts/postgres-user';
import type { Ports } from './ports';
import type { StateFolder } from './state-folder';
import type { Supervisor } from './supervisor';

const DATABASE = 'spotkeeper';

/** @returns the database's address. */
export async function startEmbeddedDatabase(
  state: StateFolder,
  supervisor: Supervisor,
  ports: Ports,
  say: (line: string) => void,
): Promise<string> {
  const user = postgresUser(say);
  const folder = dataFolder(state, user);
  if (folder.elsewhere)
    say(`The database's files are in ${folder.path}: the user "postgres" cannot reach ${state.path}.`);
  const kept = state.read<{ password: string }>('database.json');
  // Written before the database is made, so that no database is without its password.
  const password = kept?.password ?? randomBytes(24).toString('hex');
  if (!kept) {
    rmSync(folder.path, { recursive: true, force: true });
    state.write('database.json', { password });
  }
  const options = {
    binaries: postgresBinaries(user, say),
    user,
    dataFolder: folder.path,
    password,
    logFile: state.log('database'),
  };
  await initialisePostgres(options);
  const port = await ports.take('database');
  await supervisor.run({
    name: 'the database',
    rank: 4,
    stopSignal: 'SIGINT',
    graceMs: 20_000,
    start: (onSpawn) => startPostgres({ ...options, port, onSpawn }),
  });
  await ensureDatabase(postgresUrl(password, port, 'postgres'), DATABASE);
  return postgresUrl(password, port, DATABASE);
}

/** Removes the data of the embedded database, which may lie outside the state folder. */
export function removeEmbeddedDatabase(state: StateFolder): void {
  for (const folder of [state.file('postgres'), path.join(REACHABLE_FOLDER, ownName(state))])
    rmSync(folder, { recursive: true, force: true });
  state.remove('database.json');
}

function dataFolder(state: StateFolder, user: SystemUser | null): { path: string; elsewhere: boolean } {
  if (canEnter(state.path, user)) return { path: state.file('postgres'), elsewhere: false };
  return { path: path.join(makeReachable(ownName(state)), 'postgres'), elsewhere: true };
}

/** The name of a folder of this state's own among those of other states. */
function ownName(state: StateFolder): string {
  return createHash('sha256').update(state.path).digest('hex').slice(0, 12);
}

/** @throws Error, a sentence, if the database that DATABASE_URL names does not take a login. */
export async function checkDatabase(url: string): Promise<void> {
  try {
    await logIn(url);
  } catch (error) {
    const { message, code } = error as Error & { code?: string };
    throw new Error(
      `The database that DATABASE_URL names (${withoutPassword(url)}) takes no login: ${message || code}. ` +
        'Check that it runs and that user, password and database are right; or unset DATABASE_URL for the embedded one.',
    );
  }
}

/** Brings the schema up to date. @throws Error with what the migration said. */
export async function migrate(url: string, env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<void> {
  try {
    await promisify(execFile)(process.execPath, [path.join(DIST, 'db', 'migrate-main.js')], {
      env: { ...env, DATABASE_URL: url },
      signal,
    });
  } catch (error) {
    signal.throwIfAborted();
    const said = (error as { stderr?: string }).stderr?.trim() || (error as Error).message;
    throw new Error(`The schema of ${withoutPassword(url)} could not be brought up to date. ${said}`);
  }
}

export function withoutPassword(url: string): string {
  const address = new URL(url);
  address.password = '';
  return address.href;
}
