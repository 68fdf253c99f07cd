/**
 * Finds the `temporal` program, whose development server we run: on the PATH, else in our cache, else downloaded as the
 * SDK does, else built with Go. The cache is outside the checkout, so that a second clone neither loads nor builds.
 */
import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { buildTemporal } from './temporal-build';
import { downloadTemporal } from './temporal-download';

/** The newest version that `go install` can build. */
export const TEMPORAL_CLI_VERSION = '1.5.1';

export interface TemporalBinary {
  path: string;
  origin: 'PATH' | 'cache' | 'download' | 'build';
}

export interface FinderOptions {
  env: NodeJS.ProcessEnv;
  say: (line: string) => void;
  /** Ends a download or a build. */
  signal?: AbortSignal;
}

/** The folder for what is loaded or built once for all checkouts. */
export function cacheFolder(env: NodeJS.ProcessEnv): string {
  return path.join(env.XDG_CACHE_HOME || path.join(env.HOME || homedir(), '.cache'), 'spotkeeper');
}

/** @throws Error, a sentence on what to install, if there is no way to get one. */
export async function findTemporalBinary(options: FinderOptions): Promise<TemporalBinary> {
  const { env, say } = options;
  for (const candidate of onPath(env)) {
    if (await runs(candidate, say)) return { path: candidate, origin: 'PATH' };
  }
  const cached = path.join(cacheFolder(env), `temporal-cli-${TEMPORAL_CLI_VERSION}`, 'temporal');
  if (existsSync(cached) && (await runs(cached, say))) return { path: cached, origin: 'cache' };
  const failures: string[] = [];
  const ways = [
    { origin: 'download' as const, get: downloadTemporal },
    { origin: 'build' as const, get: buildTemporal },
  ];
  for (const { origin, get } of ways) {
    try {
      await get({ ...options, version: TEMPORAL_CLI_VERSION, destination: cached });
      if (await runs(cached, say)) return { path: cached, origin };
      failures.push(`what the ${origin} gave does not run`);
    } catch (error) {
      options.signal?.throwIfAborted();
      failures.push((error as Error).message);
      say(`  ${(error as Error).message}`);
    }
  }
  throw new Error(
    `There is no Temporal server: no "temporal" on the PATH, none in ${path.dirname(cached)}, and ${failures.join('; ')}. ` +
      'Install the Temporal CLI (https://docs.temporal.io/cli) or Go 1.24 or newer, or set TEMPORAL_ADDRESS to a Temporal server of your own.',
  );
}

function onPath(env: NodeJS.ProcessEnv): string[] {
  return (env.PATH ?? '')
    .split(path.delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => path.join(folder, 'temporal'))
    .filter((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false; // Not there, or not a program.
      }
    });
}

async function runs(program: string, say: (line: string) => void): Promise<boolean> {
  try {
    const { stdout } = await promisify(execFile)(program, ['--version'], { timeout: 20_000 });
    if (/temporal/i.test(stdout)) return true;
    say(`  ${program} is passed over: it does not answer --version as the Temporal CLI does.`);
  } catch (error) {
    say(`  ${program} is passed over: it does not run (${(error as Error).message.split('\n')[0]}).`);
  }
  return false;
}
