/** `spotkeeper bench samples`: the room that samples and their sums take, and how long it takes to sum up and to drop. */
import { Client } from 'pg';
import { machine } from './figures';
import { type OwnDatabase, startOwnDatabase } from './own-database';

export interface SamplesBenchOptions {
  agents: number;
  intervalSeconds: number;
  env: NodeJS.ProcessEnv;
  say: (line: string) => void;
  signal: AbortSignal;
}

export interface SamplesBenchFigures {
  agents: number;
  interval_seconds: number;
  /** With every reading known, and with all indexes. */
  bytes_per_sample: number;
  /** The same without any reading, as agents of the guide's dialect send. */
  bytes_per_bare_sample: number;
  /** Of a whole part of steps of 5 minutes, and of hours. */
  bytes_per_step: number;
  bytes_per_hour: number;
  full_rate_day_gb_per_10000: number;
  minutes_gb_per_10000: number;
  hours_gb_per_10000: number;
  /** An hour of all agents, into 5 minutes and into the hour. */
  roll_up_hour_ms: number;
  drop_hour_ms: number;
  machine: string;
}

const GB = 1e9;
/** Beats that come at the same time and are stored in one statement. */
const BATCH = 100;

/** @throws PartError if the database doesn't start; the signal's reason when it is aborted. */
export async function benchSamples(options: SamplesBenchOptions): Promise<SamplesBenchFigures> {
  options.say('Starting a database of its own …');
  const database = await startOwnDatabase(options.env, options.say);
  const sql = new Client({ connectionString: database.url });
  try {
    await sql.connect();
    return await measure(database, sql, options);
  } finally {
    await sql.end();
    await database.stop();
  }
}

async function measure(
  database: OwnDatabase,
  sql: Client,
  { agents, intervalSeconds, say, signal }: SamplesBenchOptions,
): Promise<SamplesBenchFigures> {
  const keep = async () =>
    JSON.parse(await database.run('db/keep-samples-main.js')) as { milliseconds: number; dropped: string[] };
  // Hours that are over: one for summing up, and one whose time is over when that is done.
  const fill = async (hoursAgo: number, bare: boolean) => {
    say(`Writing an hour of ${agents} agents …`);
    await sql.query('select make_sample_parts()');
    await sql.query(
      `select make_sample_part('heartbeat_samples', 'received_at', interval '1 hour', ${hour(hoursAgo)})`,
    );
    for (let first = 0; first < agents * (3600 / intervalSeconds); first += BATCH) {
      signal.throwIfAborted();
      await sql.query(
        `insert into heartbeat_samples (received_at, lease_id, online, healthy, idle, missed, gpu_utilization_percent,
           vram_used_gb, cpu_utilization_percent, ram_used_gb, disk_used_gb, cost_accumulated, uptime_seconds)
         select ${hour(hoursAgo)} + make_interval(secs => $3::float8 * $1::int / $2::int), 1 + ($1::int + n) * 7919::bigint % $2::int, true, true, ${
           bare
             ? 'null, 0, null, null, null, null, null, null, null'
             : 'false, 0, 87.5, 18.4, 45.5, 12.1, 45.2, 12.40, 7200'
         } from generate_series(0, ${BATCH - 1}) n`,
        [first, agents, intervalSeconds],
      );
    }
    const { rows } = await sql.query<{ bytes: number }>(
      `select (bytes::float8 / (select count(*) from heartbeat_samples where received_at >= ${hour(hoursAgo)}
         and received_at < ${hour(hoursAgo - 1)}))::float8 as bytes
       from sample_parts where parent = 'heartbeat_samples' and starts_at = ${hour(hoursAgo)}`,
    );
    return rows[0]!.bytes;
  };
  const bare = await fill(27, true);
  await sql.query(
    `insert into sample_rollups select name, ${hour(2)} from sample_tables where name <> 'heartbeat_samples'`,
  );
  const dropped = await keep();
  if (!dropped.dropped.some((part) => part.startsWith('heartbeat_samples_2')))
    throw new Error(`The hour was not dropped: ${JSON.stringify(dropped)}`);
  const full = await fill(2, false);
  await sql.query(`update sample_rollups set done_until = ${hour(2)}`);
  const { milliseconds: rollUp } = await keep();
  say('Filling a part of steps and one of hours …');
  const bytesPerStep = await fillPart(sql, { ...PARTS.minutes, signal });
  const bytesPerHour = await fillPart(sql, { ...PARTS.hours, signal });
  const fleet = (rows: number, bytes: number) => Math.round((10_000 * rows * bytes * 100) / GB) / 100;
  return {
    agents,
    interval_seconds: intervalSeconds,
    bytes_per_sample: Math.round(full),
    bytes_per_bare_sample: Math.round(bare),
    bytes_per_step: Math.round(bytesPerStep),
    bytes_per_hour: Math.round(bytesPerHour),
    full_rate_day_gb_per_10000: fleet(86_400 / intervalSeconds, full),
    minutes_gb_per_10000: fleet(7 * 288, bytesPerStep),
    hours_gb_per_10000: fleet(90 * 24, bytesPerHour),
    roll_up_hour_ms: rollUp,
    drop_hour_ms: dropped.milliseconds,
    machine: machine(),
  };
}

/** What a part spans, and how many steps lie in it. */
const PARTS = {
  minutes: { table: 'heartbeat_samples_5m', step: '5 minutes', span: '1 day', steps: 288 },
  hours: { table: 'heartbeat_samples_1h', step: '1 hour', span: '7 days', steps: 168 },
};

/**
 * Fills a part that is over with what was summed up last, a step at a time and in the order of a hash, as the roll-up
 * does: so the index gets as loose as it really is.
 * @returns bytes a row, with indexes.
 */
async function fillPart(
  sql: Client,
  { table, step, span, steps, signal }: (typeof PARTS)['minutes'] & { signal: AbortSignal },
): Promise<number> {
  const starts = `date_bin('${span}', now() - 2 * interval '${span}', '2001-01-01Z')`;
  await sql.query(`select make_sample_part('${table}', 'starts_at', interval '${span}', ${starts})`);
  const columns = `lease_id, samples, missed, unhealthy_samples, idle_samples, gpu_samples, gpu_utilization_avg,
    gpu_utilization_max, vram_used_gb_avg, cpu_utilization_avg, ram_used_gb_avg, disk_used_gb_max, cost_accumulated`;
  await sql.query(
    `create temporary table if not exists latest as select ${columns} from heartbeat_samples_5m
     where starts_at = (select max(starts_at) from heartbeat_samples_5m) order by hashint8(lease_id)`,
  );
  for (let number = 0; number < steps; number += 1) {
    signal.throwIfAborted();
    await sql.query(
      `insert into ${table} (starts_at, ${columns}) select ${starts} + $1::int * interval '${step}', * from latest`,
      [number],
    );
  }
  const { rows } = await sql.query<{ bytes: number }>(
    `select (bytes::float8 / (select count(*) from ${table} where starts_at >= part.starts_at
       and starts_at < part.ends_at))::float8 as bytes
     from sample_parts part where parent = '${table}' and part.starts_at = ${starts}`,
  );
  return rows[0]!.bytes;
}

/** The start of an hour so many hours ago, as SQL. */
function hour(ago: number): string {
  return `(date_trunc('hour', now()) - interval '${ago} hours')`;
}
