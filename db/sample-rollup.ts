/**
 * Sums samples up: every five minutes from the samples, every hour from the five minutes. Under the role
 * spotkeeper_worker, by the database's clock.
 *
 * Invariants:
 *   R1  a step is always written whole, from everything that it is made of, so repeating it changes nothing;
 *   R2  samples are only ever added, so of two sums of one step the one with more samples is right: a sum over what is
 *       left after a drop never replaces a full one;
 *   R3  a sample that was committed late is in the sums by the time its part is dropped: before that, the whole part is
 *       summed up again (`db/sample-parts.ts`).
 */
import { sql } from 'kysely';
import type { Db } from './connect';

/** Held by whoever works on the samples' parts and sums, so that of many workers one does. */
const SAMPLES_LOCK = 7_351_002;

/** A step is summed up this long after its end, when the transactions of its last beats have committed. */
const GRACE = sql.raw(`interval '30 seconds'`);
/** In one transaction at most this much, after a time without workers. */
const AT_ONCE = sql.raw(`interval '1 hour'`);
const ORIGIN = sql.raw(`timestamptz '2001-01-01 00:00:00+00'`);

/** @returns null when another worker is at it. */
export function asOnlyWorker<T>(db: Db, work: (transaction: Db) => Promise<T>): Promise<T | null> {
  return db.transaction().execute(async (transaction) => {
    const lock = await sql<{ held: boolean }>`
      select pg_try_advisory_xact_lock(${SAMPLES_LOCK}) as held`.execute(transaction);
    return lock.rows[0]?.held ? work(transaction) : null;
  });
}

/**
 * Sums up what is over and not yet summed up, and once more the step before it, whose last beats may have come late.
 * @returns how many steps were written or corrected; 0 also when another worker is at it.
 */
export async function rollUpSamples(db: Db): Promise<number> {
  let written = 0;
  for (;;) {
    const round = await asOnlyWorker(db, rollUpOnce);
    if (round === null) return written;
    written += round.written;
    if (!round.more) return written;
  }
}

interface Span {
  from_at: Date | null;
  to_at: Date;
  more: boolean;
}

async function rollUpOnce(transaction: Db): Promise<{ written: number; more: boolean }> {
  const fine = await nextSpan(
    transaction,
    'heartbeat_samples_5m',
    sql`select min(received_at) from heartbeat_samples`,
    sql`date_bin('5 minutes', now() - ${GRACE}, ${ORIGIN})`,
    sql.raw(`interval '5 minutes'`),
  );
  let written = 0;
  if (fine) written += await sumUpMinutes(transaction, fine);
  const coarse = await nextSpan(
    transaction,
    'heartbeat_samples_1h',
    sql`select min(starts_at) from heartbeat_samples_5m`,
    // By then the hour's last five minutes have been summed up twice.
    sql`date_bin('1 hour', (select done_until - interval '5 minutes' from sample_rollups
      where name = 'heartbeat_samples_5m'), ${ORIGIN})`,
    sql.raw(`interval '1 hour'`),
  );
  if (coarse) written += await sumUpHours(transaction, coarse);
  return { written, more: (fine?.more ?? false) || (coarse?.more ?? false) };
}

/** What to sum up next, and notes it as done: in the transaction in which it is. Null when nothing is over. */
async function nextSpan(
  transaction: Db,
  name: string,
  earliest: ReturnType<typeof sql>,
  end: ReturnType<typeof sql>,
  step: ReturnType<typeof sql.raw>,
): Promise<{ from: Date; to: Date; more: boolean } | null> {
  const found = await sql<Span>`
    with span as (
      select date_bin(${step}, coalesce((select done_until from sample_rollups where name = ${name}), (${earliest})),
        ${ORIGIN}) as from_at, ${end} as until_at
    )
    select from_at - ${step} as from_at, least(until_at, from_at + ${AT_ONCE}) as to_at,
      until_at > from_at + ${AT_ONCE} as more
    from span where until_at > from_at`.execute(transaction);
  const span = found.rows[0];
  if (!span?.from_at) return null;
  await sql`
    insert into sample_rollups (name, done_until) values (${name}, ${span.to_at})
    on conflict (name) do update set done_until = excluded.done_until`.execute(transaction);
  return { from: span.from_at, to: span.to_at, more: span.more };
}

/** @returns how many steps were written or corrected. */
export async function sumUpMinutes(transaction: Db, { from, to }: { from: Date; to: Date }): Promise<number> {
  await roomToSort(transaction);
  const summed = await sql`
    insert into heartbeat_samples_5m (lease_id, starts_at, samples, missed, unhealthy_samples, idle_samples,
      gpu_samples, gpu_utilization_avg, gpu_utilization_max, vram_used_gb_avg, cpu_utilization_avg, ram_used_gb_avg,
      disk_used_gb_max, cost_accumulated)
    select lease_id, date_bin('5 minutes', received_at, ${ORIGIN}) as step, count(*), sum(missed),
      count(*) filter (where not healthy), count(*) filter (where idle),
      count(gpu_utilization_percent), avg(gpu_utilization_percent), max(gpu_utilization_percent), avg(vram_used_gb),
      avg(cpu_utilization_percent), avg(ram_used_gb), max(disk_used_gb), max(cost_accumulated)
    from heartbeat_samples
    where received_at >= ${from} and received_at < ${to}
    group by lease_id, step
    on conflict (lease_id, starts_at) do update set ${replaced}
    where excluded.samples > heartbeat_samples_5m.samples`.execute(transaction);
  return Number(summed.numAffectedRows ?? 0);
}

/** @returns how many hours were written or corrected. */
export async function sumUpHours(transaction: Db, { from, to }: { from: Date; to: Date }): Promise<number> {
  await roomToSort(transaction);
  const summed = await sql`
    insert into heartbeat_samples_1h (lease_id, starts_at, samples, missed, unhealthy_samples, idle_samples,
      gpu_samples, gpu_utilization_avg, gpu_utilization_max, vram_used_gb_avg, cpu_utilization_avg, ram_used_gb_avg,
      disk_used_gb_max, cost_accumulated)
    select lease_id, date_bin('1 hour', starts_at, ${ORIGIN}) as step, sum(samples), sum(missed),
      sum(unhealthy_samples), sum(idle_samples), sum(gpu_samples),
      sum(gpu_utilization_avg * gpu_samples) / nullif(sum(gpu_samples), 0), max(gpu_utilization_max),
      ${weighted('vram_used_gb_avg')}, ${weighted('cpu_utilization_avg')}, ${weighted('ram_used_gb_avg')},
      max(disk_used_gb_max), max(cost_accumulated)
    from heartbeat_samples_5m
    where starts_at >= ${from} and starts_at < ${to}
    group by lease_id, step
    on conflict (lease_id, starts_at) do update set ${replaced}
    where excluded.samples > heartbeat_samples_1h.samples`.execute(transaction);
  return Number(summed.numAffectedRows ?? 0);
}

/** By the samples of a step, though not each of them need have told it. */
function weighted(column: string) {
  const name = sql.ref(column);
  return sql`sum(${name} * samples) / nullif(sum(samples) filter (where ${name} is not null), 0)`;
}

const replaced = sql.raw(
  [
    'samples',
    'missed',
    'unhealthy_samples',
    'idle_samples',
    'gpu_samples',
    'gpu_utilization_avg',
    'gpu_utilization_max',
    'vram_used_gb_avg',
    'cpu_utilization_avg',
    'ram_used_gb_avg',
    'disk_used_gb_max',
    'cost_accumulated',
  ]
    .map((column) => `${column} = excluded.${column}`)
    .join(', '),
);

/** A hundred thousand groups are more than a statement is given by default. */
async function roomToSort(transaction: Db): Promise<void> {
  await sql`set local work_mem = '64MB'`.execute(transaction);
}
