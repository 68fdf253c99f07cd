/** Builds the Temporal CLI with Go, once for the machine. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { signalGroup } from './process-identity';
import type { AcquireOptions } from './temporal-download';

/** Measured: 2.5 min on 2 cores with an empty module cache. */
const CORE_SECONDS = 300;
const REPORT_EVERY_MS = 15_000;

/** @throws Error with a clause that says what went wrong, fit for the middle of a sentence. */
export async function buildTemporal(options: AcquireOptions): Promise<void> {
  const target = `github.com/temporalio/cli/cmd/temporal@v${options.version}`;
  const estimate = Math.max(30, Math.round(CORE_SECONDS / availableParallelism()));
  mkdirSync(path.dirname(options.destination), { recursive: true });
  const folder = mkdtempSync(path.join(path.dirname(options.destination), 'build-'));
  options.say(`Building the Temporal server with Go: about ${duration(estimate)}, once for this machine.`);
  const started = Date.now();
  const report = setInterval(() => {
    options.say(`  building for ${duration((Date.now() - started) / 1000)} of about ${duration(estimate)} …`);
  }, REPORT_EVERY_MS);
  try {
    await run('go', ['install', target], { ...options.env, GOBIN: folder }, options.signal);
    renameSync(path.join(folder, 'temporal'), options.destination);
    options.say(`  built in ${duration((Date.now() - started) / 1000)}; kept in ${options.destination}`);
  } finally {
    clearInterval(report);
    rmSync(folder, { recursive: true, force: true });
  }
}

async function run(
  command: string,
  args: string[],
  env: NodeJS.ProcessEnv,
  signal?: AbortSignal,
): Promise<void> {
  const child = spawn(command, args, { env, detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4000)));
  // The compiler's children are in the group of `go`.
  const end = () => child.pid !== undefined && signalGroup(child.pid, 'SIGKILL');
  signal?.addEventListener('abort', end);
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0)
      throw new Error(
        `the build failed (go: ${said.trim().split('\n').slice(-3).join(' ') || `exit code ${code}`})`,
      );
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new Error('Go is not installed to build one');
    throw error;
  } finally {
    signal?.removeEventListener('abort', end);
  }
}

function duration(seconds: number): string {
  return seconds < 90 ? `${Math.round(seconds)} s` : `${(seconds / 60).toFixed(1)} min`;
}
