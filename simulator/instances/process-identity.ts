/**
 * Which process is meant, beyond its pid: a pid alone may belong to someone else by the next look.
 *
 * The agent's process writes its own identity before it becomes the agent (RECORD_AND_EXEC), so there is no moment in
 * which it runs and no file says so, even if the simulator is killed right after it started it.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

export interface ProcessIdentity {
  readonly pid: number;
  /** Opaque: equal for the same process, another for a later one of the same pid. */
  readonly started: string;
}

/**
 * Shell text: writes the shell's pid and start into the file `$1`, then becomes the command after it, under the same
 * pid and start.
 */
export const RECORD_AND_EXEC = [
  '{ echo $$; cat /proc/$$/stat /proc/sys/kernel/random/boot_id 2>/dev/null || ps -o lstart= -p $$; } > "$1.new"',
  'mv "$1.new" "$1"',
  'shift',
  'exec "$@"',
].join(' && ');

const BOOT_ID = '/proc/sys/kernel/random/boot_id';

/** The identity in such a file; null when there is none. */
export function readIdentity(file: string): ProcessIdentity | null {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  const [first = '', second = '', third = ''] = text.split('\n');
  const pid = Number(first);
  return Number.isInteger(pid) && pid > 1 ? { pid, started: startOf(second, third) } : null;
}

export function isAlive(identity: ProcessIdentity): boolean {
  return identity.started !== '' && currentStart(identity.pid) === identity.started;
}

/** This process's identity, in the words of such a file. */
export function ownIdentity(): string {
  const start = existsSync('/proc/self/stat')
    ? readFileSync('/proc/self/stat', 'utf8') + readFileSync(BOOT_ID, 'utf8')
    : `${currentStart(process.pid)}\n`;
  return `${process.pid}\n${start}`;
}

/**
 * Linux counts a process's start (the 22nd field of its stat line) in ticks since the boot, so the boot is part of it.
 * Elsewhere the line is ps's word for the time. A process in state Z or X has ended.
 */
function startOf(line: string, bootId: string): string {
  if (!/^\d+ \(/.test(line)) return line.trim();
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? '' : `${fields[19]}@${bootId.trim()}`;
}

/** Empty when there is no such process. */
function currentStart(pid: number): string {
  try {
    if (process.platform === 'linux') {
      return startOf(readFileSync(`/proc/${pid}/stat`, 'utf8').trim(), readFileSync(BOOT_ID, 'utf8'));
    }
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  } catch {
    return ''; // No such process: neither has another way to say so.
  }
}
