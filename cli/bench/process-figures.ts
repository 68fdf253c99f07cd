/** What processes take of the machine, from Linux's /proc; null elsewhere. */
import { readdirSync, readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100;

/** Seconds of processor time that the process has taken, where asked with its children, those that have ended too. */
export function processorSeconds(pid: number, withChildren = false): number | null {
  const all = withChildren ? [pid, ...childrenOf(pid)] : [pid];
  const seconds = all.map((one) => {
    const fields = statOf(one);
    if (fields === null) return null;
    // Of the fields after the name: utime and stime, and the same of children that were waited for.
    const ticks = fields.slice(11, withChildren ? 15 : 13);
    return ticks.reduce((sum, some) => sum + Number(some), 0) / TICKS_PER_SECOND;
  });
  return seconds[0] === null ? null : seconds.reduce<number>((sum, one) => sum + (one ?? 0), 0);
}

/** The most memory that the process ever held, in MB. */
export function peakMemoryMb(pid: number): number | null {
  try {
    const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return kilobytes === undefined ? null : Math.round(Number(kilobytes) / 1024);
  } catch {
    return null; // Not Linux, or it has ended.
  }
}

function childrenOf(parent: number): number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .filter((pid) => Number(statOf(pid)?.[1]) === parent);
  } catch {
    return []; // Not Linux.
  }
}

/** The fields after the name in brackets, which may hold spaces: state, parent, … */
function statOf(pid: number): string[] | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return null; // It has ended.
  }
}
