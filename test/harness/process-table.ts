/** Looks through the system's processes (by /proc; elsewhere by ps, without the marks). */
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { processStart } from '../../cli/parts/process-identity';

/** Pids of the living children of this process. */
export function children(): number[] {
  if (process.platform !== 'linux') {
    const table = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,comm='], { encoding: 'utf8' });
    return table
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(([, parent, command]) => Number(parent) === process.pid && !command?.endsWith('ps'))
      .map(([pid]) => Number(pid));
  }
  return readdirSync('/proc/self/task')
    .flatMap((thread) => (read(`/proc/self/task/${thread}/children`) ?? '').split(' '))
    .filter((pid) => pid !== '')
    .map(Number)
    .filter((pid) => processStart(pid) !== null);
}

/** Pids of other living processes with `mark` (`NAME=value`) in the environment they were started with. */
export function markedProcesses(mark: string): number[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && read(`/proc/${pid}/environ`)?.split('\0').includes(mark))
    .filter((pid) => processStart(pid) !== null);
}

export function describeProcess(pid: number): string {
  const command = read(`/proc/${pid}/cmdline`)?.replaceAll('\0', ' ').trim();
  return command ? `${pid} (${command.slice(0, 160)})` : String(pid);
}

/** Null for a file that is gone or not ours to read. */
function read(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
