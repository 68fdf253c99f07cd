/**
 * Prometheus's own checker of rules and metrics: whatever `promtool` the machine has, else the one of the Debian package
 * `prometheus`, which is unpacked into the user's cache without being installed.
 */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const CACHED = path.join(
  process.env['XDG_CACHE_HOME'] || path.join(os.homedir(), '.cache'),
  'spotkeeper',
  'promtool',
);

export const PROMTOOL_MISSING =
  'this machine has no promtool. Install it (Debian: apt-get install prometheus; elsewhere it comes with a download of Prometheus).';

/**
 * Its path; null where it can't be had.
 * @throws Error with CI=true, where a skipped test would go unseen.
 */
export function findPromtool(env = process.env): string | null {
  const found = ['promtool', CACHED].find(runs) ?? unpackFromDebian(env);
  if (found === null && env['CI'] === 'true')
    throw new Error(`The rules can't be tested: ${PROMTOOL_MISSING}`);
  return found;
}

function runs(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;
}

/** Needs no rights: nothing is installed. As root, the lists of packages are fetched where the machine has none. */
function unpackFromDebian(env: NodeJS.ProcessEnv): string | null {
  if (!runs('apt-get') || !runs('dpkg-deb')) return null;
  mkdirSync(path.dirname(CACHED), { recursive: true });
  const folder = mkdtempSync(`${CACHED}-`);
  const options = { cwd: folder, env, stdio: 'ignore', timeout: 120_000 } as const;
  const download = () => spawnSync('apt-get', ['download', 'prometheus'], options).status === 0;
  try {
    const fetched =
      download() ||
      (process.getuid?.() === 0 && spawnSync('apt-get', ['update'], options).status === 0 && download());
    const archive = readdirSync(folder).find((name) => name.endsWith('.deb'));
    if (!fetched || archive === undefined) return null;
    execFileSync('dpkg-deb', ['--extract', archive, 'unpacked'], options);
    renameSync(path.join(folder, 'unpacked', 'usr', 'bin', 'promtool'), CACHED);
    return existsSync(CACHED) && runs(CACHED) ? CACHED : null;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs it; what it printed. @throws Error with all of that when it finds fault. */
export function promtool(program: string, args: string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, { maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      if (error) reject(new Error(`promtool ${args.join(' ')} found fault:\n${stdout}${stderr}`));
      else resolve(stdout + stderr);
    });
    child.stdin?.end(input);
  });
}
