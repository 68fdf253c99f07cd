/**
 * The whole fleet in numbers, for Prometheus. Read under the role spotkeeper_metrics, which sees every client.
 *
 * All of it takes a few passes over agents and leases, whatever the number of clients; only the lists of single agents
 * are bounded by the caller. No statement may run for longer than the timeout: figures are worth less than heartbeats.
 */
import { type RawBuilder, sql } from 'kysely';
import type { Db } from './connect';
import { missedSince } from './owed-beats';

const TIMEOUT_MS = 5_000;

/** The planner takes a join of an agent with its primary's lease for one row, and would go on agent by agent. */
const SETTINGS = `set transaction read only; set local statement_timeout = ${TIMEOUT_MS}; set local enable_nestloop = off`;

/** The source's own idea of an idle machine that costs, in percent. */
const IDLE_PERCENT = 10;

/** Of the busiest GPU of each agent that is heard, in percent. */
export const GPU_BANDS = [5, 25, 50, 75, 100] as const;
export const GPU_QUANTILES = [0.1, 0.25, 0.5, 0.75, 0.9] as const;

export interface WatchedAgent {
  clientId: string;
  agentId: string;
  instanceId: string;
  logicalAgentId: string;
}

export interface CostlyAgent extends WatchedAgent {
  /** Null is unknown. */
  gpuUtilizationPercent: number | null;
  /** Dollars; null where neither the agent nor the price book knows. */
  cost: number | null;
}

export interface FleetFigures {
  byStatus: { status: string; agents: number }[];
  byClient: { clientId: string; status: string; agents: number }[];
  byPlacement: { mode: string; region: string; agents: number }[];
  /** By the upper end of a band of GPU_BANDS, or `unknown`. */
  byGpuBand: { band: string; agents: number }[];
  /** Of the agents whose reading is known; empty when there is none. */
  gpuQuantiles: { quantile: number; percent: number }[];
  gpuMean: number | null;
  /** Whose GPU reading is known. */
  gpuAgents: number;
  idle: number;
  /** What they cost together by the prices in force, and how many of them have no known price. */
  idleDollarsPerHour: number;
  idleWithoutPrice: number;
  protected: number;
  keptAlive: number;
  byHibernation: { method: string; agents: number }[];
  /** Beats that were missed over the lives of all leases, with those that are missing just now. */
  missedHeartbeats: number;
  /** Longest silent first. */
  orphaned: WatchedAgent[];
  /** Those heard: idle ones first, the costliest first. */
  costly: CostlyAgent[];
  places: { accountId: string; region: string; agents: number }[];
  /** Seconds since each run of sweep_runs. */
  runs: { name: string; ageSeconds: number }[];
  stopSwitches: { clientId: string | null; ageSeconds: number }[];
  /** Open ones, the oldest first. */
  massSilences: { clientId: string | null; ageSeconds: number }[];
  deliveriesLastHour: { kind: string; status: string; deliveries: number }[];
  sampleBytes: { table: string; bytes: number }[];
}

/** @param agentSeries at most so many orphaned, and so many costly agents. */
export function readFleetFigures(db: Db, agentSeries: number): Promise<FleetFigures> {
  return db.transaction().execute(async (transaction) => {
    await sql.raw(SETTINGS).execute(transaction);
    const counts = await readCounts(transaction);
    return {
      ...counts,
      ...(await readIdleCost(transaction)),
      missedHeartbeats: counts.missing + (await readMissed(transaction)),
      orphaned: await readOrphaned(transaction, agentSeries),
      costly: await readCostly(transaction, agentSeries),
      ...(await readSurroundings(transaction)),
    };
  });
}

/** An agent is heard while its primary's lease is live. */
const AGENT = sql`
  select agents.client_id, agents.status, coalesce(agents.mode, 'unknown') as mode,
    coalesce(agents.region, 'unknown') as region, coalesce(agents.account_id, 'unknown') as account_id,
    agents.protected, agents.keep_alive_until > now() as kept,
    case when status in ('hibernating', 'hibernated') then agents.hibernation ->> 'method' end as method,
    leases.state = 'live' as heard,
    case when leases.state = 'live' then leases.gpu_utilization_percent end as gpu,
    leases.state = 'live' and leases.idle_since is not null as idle,
    case when leases.state <> 'offline' then ${sql.raw(
      missedSince(
        'leases.client_id',
        'leases.instance_id',
        'leases.last_heartbeat_at',
        'standing.heartbeat_interval_seconds',
      ),
    )} end as missing
  from agents
  left join leases on leases.agent_id = agents.id and leases.instance_id = agents.primary_instance_id
  left join instance_standing standing
    on standing.agent_id = agents.id and standing.instance_id = agents.primary_instance_id
  where agents.status <> 'deleted'`;

type Counts = Pick<
  FleetFigures,
  | 'byStatus'
  | 'byClient'
  | 'byPlacement'
  | 'byGpuBand'
  | 'gpuQuantiles'
  | 'gpuMean'
  | 'gpuAgents'
  | 'idle'
  | 'protected'
  | 'keptAlive'
  | 'byHibernation'
  | 'places'
> & { missing: number };

/** One pass over the fleet: a row a combination of places and states, and a row a whole percent of GPU utilization. */
async function readCounts(transaction: Db): Promise<Counts> {
  const { rows } = await sql<GroupRow>`
    select client_id as "clientId", status, mode, region, account_id as "accountId", method, percent,
      grouping(status) = 1 as "ofGpus", count(*)::int as agents,
      count(*) filter (where idle)::int as idle, count(*) filter (where protected)::int as protected,
      count(*) filter (where kept)::int as kept, coalesce(sum(missing), 0)::float8 as missing,
      sum(gpu)::float8 as gpu
    from (select agent.*, case when heard then coalesce(ceil(gpu), -1) end::int as percent from (${AGENT}) agent) agent
    group by grouping sets ((client_id, status, mode, region, account_id, method), (percent))`.execute(
    transaction,
  );
  const places = rows.filter((row) => !row.ofGpus);
  const total = (column: 'idle' | 'protected' | 'kept' | 'missing') =>
    places.reduce((sum, row) => sum + row[column], 0);
  return {
    byStatus: sumBy(places, ({ status }) => ({ status })),
    byClient: sumBy(places, ({ clientId, status }) => ({ clientId, status })),
    byPlacement: sumBy(places, ({ mode, region }) => ({ mode, region })),
    places: sumBy(places, ({ accountId, region }) => ({ accountId, region })),
    byHibernation: sumBy(places, ({ method }) => (method === null ? null : { method })),
    idle: total('idle'),
    protected: total('protected'),
    keptAlive: total('kept'),
    missing: total('missing'),
    ...gpuFigures(rows.filter((row) => row.ofGpus && row.percent !== null)),
  };
}

interface GroupRow {
  clientId: string;
  status: string;
  mode: string;
  region: string;
  accountId: string;
  method: string | null;
  /** Rounded up; -1 is unknown, null is not heard. */
  percent: number | null;
  ofGpus: boolean;
  agents: number;
  idle: number;
  protected: number;
  kept: number;
  missing: number;
  gpu: number | null;
}

function sumBy<K extends string>(
  rows: readonly GroupRow[],
  labelsOf: (row: GroupRow) => Record<K, string> | null,
): (Record<K, string> & { agents: number })[] {
  const sums = new Map<string, Record<K, string> & { agents: number }>();
  for (const row of rows) {
    const labels = labelsOf(row);
    if (labels === null) continue;
    const id = JSON.stringify(labels);
    const sum = sums.get(id) ?? { ...labels, agents: 0 };
    sum.agents += row.agents;
    sums.set(id, sum);
  }
  return [...sums.values()];
}

/** Quantiles are right to a percent, upwards. */
function gpuFigures(
  rows: readonly GroupRow[],
): Pick<FleetFigures, 'byGpuBand' | 'gpuQuantiles' | 'gpuMean' | 'gpuAgents'> {
  const known = rows
    .flatMap((row) => (row.percent === null || row.percent < 0 ? [] : [{ ...row, percent: row.percent }]))
    .sort((one, other) => one.percent - other.percent);
  const agents = known.reduce((sum, row) => sum + row.agents, 0);
  const within = (from: number, to: number) =>
    known.filter(({ percent }) => percent > from && percent <= to).reduce((sum, row) => sum + row.agents, 0);
  const quantiles = GPU_QUANTILES.flatMap((quantile) => {
    let below = 0;
    const row = known.find((one) => (below += one.agents) >= quantile * agents);
    return row ? [{ quantile, percent: row.percent }] : [];
  });
  return {
    byGpuBand: [
      ...GPU_BANDS.map((top, at) => ({ band: String(top), agents: within(GPU_BANDS[at - 1] ?? -1, top) })),
      { band: 'unknown', agents: rows.find((row) => row.percent === -1)?.agents ?? 0 },
    ],
    gpuQuantiles: quantiles,
    gpuMean: agents === 0 ? null : known.reduce((sum, row) => sum + (row.gpu ?? 0), 0) / agents,
    gpuAgents: agents,
  };
}

/** The price in force of a pool; `of` is a row with its columns. */
const priceOf = (of: RawBuilder<unknown>) => sql`
  (select usd_per_hour from price_book book
    where book.account_id = ${of}.account_id and book.region = ${of}.region and book.mode = ${of}.mode
      and book.instance_type = ${of}.instance_type and book.held_from <= now()
      and book.zone = case ${of}.mode when 'ondemand' then '' else ${of}.az end
    order by held_from desc limit 1)`;

const POOL = ['account_id', 'region', 'instance_type', 'mode', 'az'];
const poolOf = (table: string) => sql.join(POOL.map((column) => sql.ref(`${table}.${column}`)));

async function readIdleCost(
  transaction: Db,
): Promise<Pick<FleetFigures, 'idleDollarsPerHour' | 'idleWithoutPrice'>> {
  const { rows } = await sql<{ dollars: number; unpriced: number }>`
    with pool as (
      select ${poolOf('agents')}, count(*) as machines from agents
      join leases on leases.agent_id = agents.id and leases.instance_id = agents.primary_instance_id
      where leases.idle_since is not null and leases.state = 'live' and agents.status <> 'deleted'
      group by ${poolOf('agents')}
    ), priced as (select machines, ${priceOf(sql`pool`)} as price from pool)
    select coalesce(sum(machines * price), 0)::float8 as dollars,
      coalesce(sum(machines) filter (where price is null), 0)::int as unpriced
    from priced`.execute(transaction);
  return { idleDollarsPerHour: rows[0]?.dollars ?? 0, idleWithoutPrice: rows[0]?.unpriced ?? 0 };
}

async function readMissed(transaction: Db): Promise<number> {
  const { rows } = await sql<{ missed: number }>`
    select coalesce(sum(missed_heartbeats), 0)::float8 as missed from leases`.execute(transaction);
  return rows[0]?.missed ?? 0;
}

const WATCHED = sql`agents.client_id as "clientId", agents.id as "agentId", agents.logical_agent_id as "logicalAgentId"`;

async function readOrphaned(transaction: Db, limit: number): Promise<WatchedAgent[]> {
  const { rows } = await sql<WatchedAgent>`
    select ${WATCHED}, coalesce(agents.primary_instance_id, '') as "instanceId"
    from agents
    left join leases on leases.agent_id = agents.id and leases.instance_id = agents.primary_instance_id
    where agents.status = 'orphaned'
    order by leases.last_heartbeat_at nulls last, agents.id limit ${limit}`.execute(transaction);
  return rows;
}

/**
 * What an agent doesn't report itself is estimated: the time since its machine was heard first, at the price in force.
 */
async function readCostly(transaction: Db, limit: number): Promise<CostlyAgent[]> {
  const { rows } = await sql<CostlyAgent>`
    with heard as (
      select agents.client_id, agents.id, agents.logical_agent_id, leases.instance_id,
        leases.gpu_utilization_percent as gpu, leases.cost_accumulated as reported,
        leases.first_heartbeat_at, ${poolOf('agents')}
      from agents
      join leases on leases.agent_id = agents.id and leases.instance_id = agents.primary_instance_id
      where leases.state = 'live' and agents.status <> 'deleted'
        and (leases.gpu_utilization_percent is not null or leases.cost_accumulated is not null)
    ), pool as materialized (
      select pool.*, ${priceOf(sql`pool`)} as price
      from (select distinct ${poolOf('heard')} from heard where reported is null) pool
    ), ranked as (
      select heard.*, price, coalesce(reported, price * extract(epoch from now() - first_heartbeat_at) / 3600) as rank
      from heard left join pool using (${sql.join(POOL.map((column) => sql.ref(column)))})
      order by gpu < ${sql.lit(IDLE_PERCENT)} desc nulls last, rank desc nulls last, heard.id limit ${limit}
    )
    select client_id as "clientId", id as "agentId", logical_agent_id as "logicalAgentId",
      instance_id as "instanceId", gpu as "gpuUtilizationPercent",
      greatest(0, coalesce(reported, rank - price * (
        select coalesce(sum(extract(epoch from coalesce(started_at, now()) - stopped_at)), 0) / 3600
        from instance_stops stop where stop.client_id = ranked.client_id and stop.instance_id = ranked.instance_id
      )))::float8 as cost
    from ranked`.execute(transaction);
  return rows;
}

type Surroundings = Pick<
  FleetFigures,
  'runs' | 'stopSwitches' | 'massSilences' | 'deliveriesLastHour' | 'sampleBytes'
>;

async function readSurroundings(transaction: Db): Promise<Surroundings> {
  const runs = await sql<Surroundings['runs'][number]>`
    select name, extract(epoch from now() - last_run_at)::float8 as "ageSeconds" from sweep_runs`.execute(
    transaction,
  );
  const switches = await sql<Surroundings['stopSwitches'][number]>`
    select client_id as "clientId", extract(epoch from now() - set_at)::float8 as "ageSeconds" from stop_switches
    order by set_at`.execute(transaction);
  const silences = await sql<Surroundings['massSilences'][number]>`
    select client_id as "clientId", extract(epoch from now() - began_at)::float8 as "ageSeconds" from mass_silences
    where closed_at is null order by began_at`.execute(transaction);
  const deliveries = await sql<Surroundings['deliveriesLastHour'][number]>`
    select kind, status, sum(deliveries)::int as deliveries
    from notification_channels channel, lateral (
      select status, count(*) as deliveries from notification_deliveries delivery
      where delivery.channel_id = channel.id and delivery.created_at > now() - interval '1 hour' group by status
    ) lately
    group by kind, status`.execute(transaction);
  const samples = await sql<Surroundings['sampleBytes'][number]>`
    select parent as "table", sum(bytes)::float8 as bytes from sample_parts group by parent`.execute(
    transaction,
  );
  return {
    runs: runs.rows,
    stopSwitches: switches.rows,
    massSilences: silences.rows,
    deliveriesLastHour: deliveries.rows,
    sampleBytes: samples.rows,
  };
}
