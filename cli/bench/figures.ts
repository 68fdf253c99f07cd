/** What the benches make of their measurements. */
import { cpus, totalmem } from 'node:os';

/** The value that `share` (0 to 1) of the values do not exceed, to a tenth; null if there are none. */
export function percentile(values: readonly number[], share: number): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  return tenths(sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!);
}

export function tenths(value: number): number {
  return Math.round(value * 10) / 10;
}

/** What the figures were measured on. */
export function machine(): string {
  const processors = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${processors.length} × ${processors[0]?.model.trim() || process.arch}, ${memory} GB, ${process.platform}, Node ${process.versions.node}`;
}
