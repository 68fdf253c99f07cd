/** Adds what heartbeats say to the samples, under the role spotkeeper_ingest, which can't read them. */
import { sql } from 'kysely';
import type { Db } from './connect';

/** What one heartbeat says. Null is unknown, never zero. */
export interface Sample {
  /** Of the row in leases. */
  leaseId: string;
  /** False is a goodbye. */
  online: boolean;
  healthy: boolean;
  /** Below the threshold of the agent's policy; null when the reading is unknown or idleness isn't watched. */
  idle: boolean | null;
  /** Beats that were due since the one before and did not come. */
  missed: number;
  /** Of the busiest GPU. */
  gpuUtilizationPercent: number | null;
  vramUsedGb: number | null;
  cpuUtilizationPercent: number | null;
  ramUsedGb: number | null;
  diskUsedGb: number | null;
  /** Decimal dollars. */
  costAccumulated: string | null;
  uptimeSeconds: number | null;
}

/** All that nothing but the beat itself is known of. */
export const UNKNOWN_SAMPLE = {
  idle: null,
  missed: 0,
  gpuUtilizationPercent: null,
  vramUsedGb: null,
  cpuUtilizationPercent: null,
  ramUsedGb: null,
  diskUsedGb: null,
  costAccumulated: null,
  uptimeSeconds: null,
} satisfies Partial<Sample>;

const LARGEST_MISSED = 32_767;

/** Received now, by the database's clock: the transaction's own time. */
export async function addSamples(transaction: Db, samples: readonly Sample[]): Promise<void> {
  if (samples.length === 0) return;
  await sql`
    insert into heartbeat_samples (lease_id, online, healthy, idle, missed, gpu_utilization_percent, vram_used_gb,
      cpu_utilization_percent, ram_used_gb, disk_used_gb, cost_accumulated, uptime_seconds)
    select * from unnest(
      ${samples.map((sample) => sample.leaseId)}::bigint[],
      ${samples.map((sample) => sample.online)}::boolean[],
      ${samples.map((sample) => sample.healthy)}::boolean[],
      ${known(samples.map((sample) => sample.idle))}::boolean[],
      ${samples.map((sample) => Math.min(sample.missed, LARGEST_MISSED))}::smallint[],
      ${known(samples.map((sample) => sample.gpuUtilizationPercent))}::real[],
      ${known(samples.map((sample) => sample.vramUsedGb))}::real[],
      ${known(samples.map((sample) => sample.cpuUtilizationPercent))}::real[],
      ${known(samples.map((sample) => sample.ramUsedGb))}::real[],
      ${known(samples.map((sample) => sample.diskUsedGb))}::real[],
      ${known(samples.map((sample) => sample.costAccumulated))}::numeric[],
      ${known(samples.map((sample) => sample.uptimeSeconds))}::integer[])`.execute(transaction);
}

/** Arrays of nothing but unknowns are sent empty: `unnest` fills them up. */
function known<T>(values: (T | null)[]): (T | null)[] {
  return values.some((value) => value !== null) ? values : [];
}
