/** Tells one process from another that was given the same pid later. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface ProcessIdentity {
  pid: number;
  /** Opaque; equal for as long as it is the same process. */
  startedAt: string;
}

/** When the process with this pid was started, or null if there is none (one that has ended but was not reaped is none). */
export function processStart(pid: number): string | null {
  try {
    if (process.platform === 'linux') {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      // The command's name, in parentheses, may hold anything; the numbers follow its last parenthesis.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      // The start is counted in ticks since boot, so the boot is part of it.
      return fields[0] === 'Z' || fields[0] === 'X' ? null : `${fields[19]}@${bootId()}`;
    }
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || null;
  } catch {
    return null; // No such process.
  }
}

let boot: string | undefined;

function bootId(): string {
  return (boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8));
}

/** Whether this very process still runs. */
export function isRunning(identity: ProcessIdentity): boolean {
  return processStart(identity.pid) === identity.startedAt;
}

/**
 * Signals the process and its whole group if it leads one.
 * @returns false if it had already ended.
 */
export function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch {
    return signalProcess(pid, signal);
  }
}

/** @returns false if it had already ended. */
export function signalProcess(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}
