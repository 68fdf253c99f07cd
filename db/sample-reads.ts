/** Samples as people see them: one machine's newest, and an agent's over a span at a resolution that fits it. */
import { sql } from 'kysely';
import type { Resolution, SampleReading } from '../contracts/reads';
import type { Db } from './connect';

export interface RecentSample {
  received_at: Date;
  gpu_utilization_percent: number | null;
  vram_used_gb: number | null;
  online: boolean;
}

/** Where the newest are most likely all found. */
const LOOK_BACK_MINUTES = 30;

/** The newest samples of a lease that are kept at full rate, newest first. */
export async function recentSamples(
  transaction: Db,
  leaseId: string,
  newest: Date,
  count: number,
): Promise<RecentSample[]> {
  const lately = await newestSamples(transaction, leaseId, minutesBefore(newest, LOOK_BACK_MINUTES), count);
  return lately.length < count ? newestSamples(transaction, leaseId, null, count) : lately;
}

function newestSamples(transaction: Db, leaseId: string, since: Date | null, count: number) {
  let query = transaction
    .selectFrom('heartbeat_samples')
    .select(['received_at', 'gpu_utilization_percent', 'vram_used_gb', 'online'])
    .where('lease_id', '=', leaseId)
    .orderBy('received_at', 'desc')
    .limit(count);
  if (since !== null) query = query.where('received_at', '>=', since);
  return query.execute();
}

function minutesBefore(time: Date, minutes: number): Date {
  return new Date(time.getTime() - minutes * 60_000);
}

/** The average of a lease's known GPU readings over the last 24 hours, to a tenth; null when there are none. */
export async function averageGpu(transaction: Db, leaseId: string): Promise<number | null> {
  const day = await sql<{ average: number | null }>`
    with summed as (select coalesce(max(done_until), '-infinity') as until from sample_rollups
      where name = 'heartbeat_samples_5m')
    select (sum(readings) / nullif(sum(known), 0))::float8 as average from (
      select sum(gpu_utilization_avg * gpu_samples) as readings, sum(gpu_samples) as known from heartbeat_samples_5m
      where lease_id = ${leaseId} and starts_at >= now() - interval '24 hours' and starts_at < (select until from summed)
      union all
      select sum(gpu_utilization_percent), count(gpu_utilization_percent) from heartbeat_samples
      where lease_id = ${leaseId} and received_at >= greatest(now() - interval '24 hours', (select until from summed))
    ) parts`.execute(transaction);
  const average = day.rows[0]?.average ?? null;
  return average === null ? null : Math.round(average * 10) / 10;
}

export interface SampleSpan {
  agentId: string;
  instanceId: string | null;
  from: Date;
  to: Date;
  resolution: Resolution;
  limit: number;
}

export interface SamplePage {
  samples: SampleReading[];
  /** Where the page after this one begins; null after the last. */
  nextFrom: string | null;
}

/**
 * An agent's samples over all of its machines, oldest first; steps that are not summed up yet are summed up here. A page
 * ends between two times, never between two machines of one.
 */
export async function readSamples(transaction: Db, span: SampleSpan): Promise<SamplePage> {
  const leases = await transaction
    .selectFrom('leases')
    .select(['id', 'instance_id'])
    .where('agent_id', '=', span.agentId)
    .$if(span.instanceId !== null, (query) => query.where('instance_id', '=', span.instanceId))
    .execute();
  if (leases.length === 0) return { samples: [], nextFrom: null };
  const instances = new Map(leases.map((lease) => [lease.id, lease.instance_id]));
  const found = await rowsOf({ ...span, limit: span.limit + 1 }, [...instances.keys()]).execute(transaction);
  const samples = found.rows.map((row) => reading(row, instances.get(row.lease_id) ?? ''));
  const beyond = samples[span.limit]?.timestamp ?? null;
  // Should all of them be of one time, that time is cut after all: the page must move on.
  const whole = samples.filter((one) => one.timestamp !== beyond);
  if (beyond !== null && whole.length === 0) {
    return { samples, nextFrom: new Date(Date.parse(beyond) + 1).toISOString() };
  }
  return { samples: whole, nextFrom: beyond };
}

function reading(row: StepRow, instanceId: string): SampleReading {
  return {
    timestamp: row.at.toISOString(),
    instance_id: instanceId,
    samples: row.samples,
    missed_heartbeats: row.missed,
    unhealthy_samples: row.unhealthy_samples,
    idle_samples: row.idle_samples,
    gpu_utilization: tenths(row.gpu_utilization_avg),
    gpu_utilization_max: tenths(row.gpu_utilization_max),
    vram_used_gb: tenths(row.vram_used_gb_avg),
    cpu_utilization: tenths(row.cpu_utilization_avg),
    ram_used_gb: tenths(row.ram_used_gb_avg),
    disk_used_gb: tenths(row.disk_used_gb_max),
    cost_accumulated: row.cost_accumulated === null ? null : Number(row.cost_accumulated),
  };
}

interface StepRow {
  at: Date;
  lease_id: string;
  samples: number;
  missed: number;
  unhealthy_samples: number;
  idle_samples: number;
  gpu_utilization_avg: number | null;
  gpu_utilization_max: number | null;
  vram_used_gb_avg: number | null;
  cpu_utilization_avg: number | null;
  ram_used_gb_avg: number | null;
  disk_used_gb_max: number | null;
  cost_accumulated: string | null;
}

const STEPS = {
  '5m': { table: 'heartbeat_samples_5m', step: sql.raw(`interval '5 minutes'`) },
  '1h': { table: 'heartbeat_samples_1h', step: sql.raw(`interval '1 hour'`) },
} as const;

/** What steps are counted from. */
const ORIGIN = sql.raw(`timestamptz '2001-01-01 00:00:00+00'`);

function rowsOf({ from, to, resolution, limit }: SampleSpan, leaseIds: string[]) {
  if (resolution === 'raw') {
    return sql<StepRow>`
      select received_at as at, lease_id, 1 as samples, missed, (not healthy)::int as unhealthy_samples,
        coalesce(idle, false)::int as idle_samples, gpu_utilization_percent as gpu_utilization_avg,
        gpu_utilization_percent as gpu_utilization_max, vram_used_gb as vram_used_gb_avg,
        cpu_utilization_percent as cpu_utilization_avg, ram_used_gb as ram_used_gb_avg,
        disk_used_gb as disk_used_gb_max, cost_accumulated
      from heartbeat_samples
      where lease_id = any(${leaseIds}::bigint[]) and received_at >= ${from} and received_at < ${to}
      order by received_at, lease_id limit ${limit}`;
  }
  if (resolution === '6h') {
    return sql<StepRow>`
      select date_bin('6 hours', at, ${ORIGIN}) as at, lease_id, sum(samples)::int as samples, sum(missed)::int as missed,
        sum(unhealthy_samples)::int as unhealthy_samples, sum(idle_samples)::int as idle_samples,
        ${average('gpu_utilization_avg')}, max(gpu_utilization_max) as gpu_utilization_max, ${average('vram_used_gb_avg')},
        ${average('cpu_utilization_avg')}, ${average('ram_used_gb_avg')}, max(disk_used_gb_max) as disk_used_gb_max,
        max(cost_accumulated) as cost_accumulated
      from (${summedUp('1h', from, to, leaseIds)}) hours
      group by 1, lease_id
      order by 1, lease_id limit ${limit}`;
  }
  return sql<StepRow>`${summedUp(resolution, from, to, leaseIds)} order by at, lease_id limit ${limit}`;
}

/** Of hours: each counts as much as it has samples. */
function average(column: string) {
  const name = sql.ref(column);
  return sql`(sum(${name} * samples) / nullif(sum(samples) filter (where ${name} is not null), 0))::real as ${name}`;
}

function summedUp(resolution: keyof typeof STEPS, from: Date, to: Date, leaseIds: string[]) {
  const { table, step } = STEPS[resolution];
  const summed = sql`(select coalesce(max(done_until), '-infinity') from sample_rollups where name = ${table})`;
  return sql<StepRow>`
    select starts_at as at, lease_id, samples, missed, unhealthy_samples, idle_samples, gpu_utilization_avg,
      gpu_utilization_max, vram_used_gb_avg, cpu_utilization_avg, ram_used_gb_avg, disk_used_gb_max, cost_accumulated
    from ${sql.table(table)}
    where lease_id = any(${leaseIds}::bigint[]) and starts_at >= date_bin(${step}, ${from}::timestamptz, ${ORIGIN})
      and starts_at < ${to} and starts_at < ${summed}
    union all
    select date_bin(${step}, received_at, ${ORIGIN}) as at, lease_id, count(*)::int, sum(missed)::int,
      count(*) filter (where not healthy)::int, count(*) filter (where idle)::int,
      avg(gpu_utilization_percent)::real, max(gpu_utilization_percent), avg(vram_used_gb)::real,
      avg(cpu_utilization_percent)::real, avg(ram_used_gb)::real, max(disk_used_gb), max(cost_accumulated)
    from heartbeat_samples
    where lease_id = any(${leaseIds}::bigint[]) and received_at < ${to}
      and received_at >= greatest(${summed}, date_bin(${step}, ${from}::timestamptz, ${ORIGIN}))
    group by at, lease_id`;
}

function tenths(value: number | null): number | null {
  return value === null ? null : Math.round(value * 10) / 10;
}
