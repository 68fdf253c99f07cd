/** A database of a bench's own, with PostgreSQL's default settings, migrated, with one client in it. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { CHECKOUT, DIST } from '../checkout';
import { anyFreePort } from '../parts/free-port';
import type { Part } from '../parts/part';
import { postgresBinaries } from '../parts/postgres-binaries';
import { ensureDatabase, initialisePostgres, postgresUrl, startPostgres } from '../parts/postgres-server';
import { canEnter, makeReachable, postgresUser } from '../parts/postgres-user';

export interface OwnDatabase {
  url: string;
  /** For logs; removed at the end. */
  folder: string;
  clientId: string;
  clientToken: string;
  userToken: string;
  /** The server; its end during the bench is a failure. */
  part: Part;
  /** Runs one of our scripts on it to its end, and returns what it printed. */
  run(script: string, args?: string[]): Promise<string>;
  stop(): Promise<void>;
}

/** What db/seed-main.js prints. */
interface Seeded {
  clientId: string;
  tokens: { client: string; user: string };
}

/** @throws PartError if it doesn't start; nothing is left then. */
export async function startOwnDatabase(
  env: NodeJS.ProcessEnv,
  say: (line: string) => void,
): Promise<OwnDatabase> {
  const state = env.SPOTKEEPER_STATE_DIR || path.join(CHECKOUT, '.spotkeeper');
  mkdirSync(state, { recursive: true, mode: 0o711 });
  const folder = mkdtempSync(path.join(state, 'bench-'));
  chmodSync(folder, 0o755);
  const user = postgresUser(say);
  const elsewhere = canEnter(folder, user) ? null : mkdtempSync(path.join(makeReachable('bench'), 'run-'));
  if (elsewhere) chmodSync(elsewhere, 0o755);
  const remove = () => {
    for (const one of [folder, elsewhere]) if (one) rmSync(one, { recursive: true, force: true });
  };
  try {
    const password = randomBytes(16).toString('hex');
    const binaries = postgresBinaries(user, say);
    const dataFolder = path.join(elsewhere ?? folder, 'postgres');
    await initialisePostgres({ binaries, user, dataFolder, password });
    const port = await anyFreePort();
    const logFile = path.join(folder, 'database.log');
    const part = await startPostgres({ binaries, user, dataFolder, password, port, logFile });
    const stop = async () => {
      await part.stop('SIGINT');
      remove();
    };
    const url = postgresUrl(password, port, 'bench');
    const run = async (script: string, args: string[] = []) => {
      const { stdout } = await promisify(execFile)(process.execPath, [path.join(DIST, script), ...args], {
        env: { ...env, DATABASE_URL: url },
      });
      return stdout;
    };
    try {
      await ensureDatabase(postgresUrl(password, port, 'postgres'), 'bench');
      await run('db/migrate-main.js');
      const seeded = await run('db/seed-main.js', ['--client', 'bench']);
      const { clientId, tokens } = JSON.parse(seeded) as Seeded;
      const { client: clientToken, user: userToken } = tokens;
      return { url, folder, clientId, clientToken, userToken, part, run, stop };
    } catch (error) {
      await stop();
      throw error;
    }
  } catch (error) {
    remove();
    throw error;
  }
}
