/** Machines by what their heartbeats say, in the words of the Dumont dialect. */
import { type SqlBool, sql } from 'kysely';
import type { AgentFilter, HeartbeatInstance, HeartbeatInstanceDetail } from '../contracts/reads';
import type { HibernationView } from '../contracts/messages';
import type { AgentStatus, Health, InstanceStatus } from '../contracts/states';
import { hibernationReading, livingAgents } from './agent-reads';
import type { Db } from './connect';
import { costsToday } from './costs';
import { missedSince } from './owed-beats';
import { averageGpu, recentSamples } from './sample-reads';

/**
 * A client's machines that are not terminated, of agents that are not deleted, by id from after `after`. A filter is about
 * agents, so it shows only the machines that are their agents' primaries.
 * @param transaction in the client's scope.
 */
export async function listHeartbeatInstances(
  transaction: Db,
  clientId: string,
  filter: AgentFilter,
  page: { after: string | null; limit: number },
): Promise<HeartbeatInstance[]> {
  const filtered = Object.values(filter).some((value) => value !== undefined);
  const rows = filtered
    ? await primaries(transaction, clientId, filter, page)
    : await machines(transaction, clientId, page);
  const ids = rows.map((row) => row.id);
  const costs = await costsToday(transaction, clientId, ids);
  return rows.map((row) => toInstance(row, costs.get(row.id) ?? null));
}

type Page = { after: string | null; limit: number };

/** Read by the index instances_living, in its order. */
function machines(transaction: Db, clientId: string, { after, limit }: Page): Promise<Row[]> {
  return instanceQuery(transaction)
    .where('instances.client_id', '=', clientId)
    .where('instances.instance_status', '<>', sql.lit('terminated'))
    .where('agents.status', '<>', 'deleted')
    .$if(after !== null, (query) => query.where('instances.id', '>', after))
    .orderBy('instances.id')
    .limit(limit)
    .execute();
}

/** Which ones first, from the agents' indexes alone. */
async function primaries(transaction: Db, clientId: string, filter: AgentFilter, page: Page): Promise<Row[]> {
  const ids = await primaryIds(transaction, clientId, filter, page);
  if (ids.length === 0) return [];
  return instanceQuery(transaction)
    .where('instances.client_id', '=', clientId)
    .where('instances.id', '=', sql<string>`any(${ids})`)
    .orderBy('instances.id')
    .execute();
}

async function primaryIds(
  transaction: Db,
  clientId: string,
  filter: AgentFilter,
  { after, limit }: Page,
): Promise<string[]> {
  const { health, ...others } = filter;
  let query = livingAgents(transaction, clientId, others)
    .select('agents.primary_instance_id as id')
    .where('agents.primary_instance_id', '>', after ?? '')
    .orderBy('agents.primary_instance_id')
    .limit(limit);
  if (health) query = query.where(health === 'healthy' ? sql<SqlBool>`not (${UNWELL})` : UNWELL);
  return (await query.execute()).flatMap((row) => row.id ?? []);
}

/** As the index agents_unwell has it. */
const UNWELL = sql<SqlBool>`(agents.health = 'unhealthy' or agents.status in ('silent', 'orphaned'))`;

/** How many of the newest heartbeats a detail shows. */
const RECENT = 20;

/** One machine, whatever has become of it and its agent; null when the client has none of this id. */
export async function findHeartbeatInstance(
  transaction: Db,
  clientId: string,
  instanceId: string,
): Promise<HeartbeatInstanceDetail | null> {
  const row = await detailQuery(transaction)
    .where('instances.client_id', '=', clientId)
    .where('instances.id', '=', instanceId)
    .executeTakeFirst();
  if (!row) return null;
  const costs = await costsToday(transaction, clientId, [row.id]);
  const [recent, averageGpuUtilization] =
    row.lease_id !== null && row.last_heartbeat_at !== null
      ? [
          await recentSamples(transaction, row.lease_id, row.last_heartbeat_at, RECENT),
          await averageGpu(transaction, row.lease_id),
        ]
      : [[], null];
  const total = Number(row.heartbeats ?? 0);
  const missed = Number(row.missed_heartbeats ?? 0) + (await missing(transaction, row));
  const hibernation = row.hibernation as unknown as HibernationView | null;
  return {
    ...toInstance(row, costs.get(row.id) ?? null),
    total_heartbeats: total,
    first_heartbeat: row.first_heartbeat_at?.toISOString() ?? null,
    uptime_percent: total === 0 ? null : Math.floor((1000 * total) / (total + missed)) / 10,
    missed_heartbeats: missed,
    avg_gpu_utilization: averageGpuUtilization,
    recent_heartbeats: recent.map((sample) => ({
      timestamp: sample.received_at.toISOString(),
      gpu_utilization: sample.gpu_utilization_percent,
      vram_used_gb: sample.vram_used_gb,
      status: sample.online ? 'running' : 'offline',
    })),
    keep_alive:
      row.keep_alive_until !== null && row.keep_alive_seconds !== null && row.keep_alive_seconds > 0
        ? { until: row.keep_alive_until.toISOString(), seconds_left: Math.round(row.keep_alive_seconds) }
        : null,
    protected: row.protected,
    hibernation: hibernation?.instanceId === row.id ? hibernationReading(hibernation) : null,
  };
}

/** Whose an instance is. */
export async function agentOfInstance(
  transaction: Db,
  clientId: string,
  instanceId: string,
): Promise<{ agentId: string; deleted: boolean } | null> {
  const row = await transaction
    .selectFrom('instances')
    .innerJoin('agents', 'agents.id', 'instances.agent_id')
    .select(['agents.id', 'agents.status'])
    .where('instances.client_id', '=', clientId)
    .where('instances.id', '=', instanceId)
    .executeTakeFirst();
  return row ? { agentId: row.id, deleted: row.status === 'deleted' } : null;
}

/**
 * Each joined row is looked up by its key: with a limit of one, the planner can't choose to read a table from the first
 * row to the last instead.
 */
function instanceQuery(transaction: Db) {
  return transaction
    .selectFrom('instances')
    .innerJoinLateral(
      (eb) =>
        eb
          .selectFrom('agents')
          .select([
            'logical_agent_id',
            'status',
            'primary_instance_id',
            'keep_alive_until',
            'protected',
            'hibernation',
          ])
          .whereRef('agents.id', '=', 'instances.agent_id')
          .limit(1)
          .as('agents'),
      (join) => join.onTrue(),
    )
    .leftJoinLateral(
      (eb) =>
        eb
          .selectFrom('leases')
          .selectAll()
          .whereRef('leases.agent_id', '=', 'instances.agent_id')
          .whereRef('leases.instance_id', '=', 'instances.id')
          .where('leases.heartbeats', '>', '0')
          .limit(1)
          .as('leases'),
      (join) => join.onTrue(),
    )
    .leftJoinLateral(
      (eb) =>
        eb
          .selectFrom('instance_standing')
          .selectAll()
          .whereRef('instance_standing.agent_id', '=', 'instances.agent_id')
          .whereRef('instance_standing.instance_id', '=', 'instances.id')
          .limit(1)
          .as('standing'),
      (join) => join.onTrue(),
    )
    .select([
      'instances.id',
      'instances.agent_id',
      'instances.instance_type',
      'instances.mode',
      'instances.az',
      'instances.region',
      'instances.instance_status',
      'agents.logical_agent_id',
      'agents.status',
      'agents.primary_instance_id',
      'leases.state as lease_state',
      'leases.health',
      'leases.gpu_utilization_percent',
      'leases.cost_accumulated',
      'leases.last_heartbeat_at',
      'standing.hibernation_reason',
      sql<number | null>`extract(epoch from now() - leases.last_heartbeat_at)::float8`.as('silence'),
      sql<number | null>`extract(epoch from standing.hibernation_due_at - now())::float8`.as(
        'warning_seconds',
      ),
    ]);
}

/** What only the page of one machine shows beside. */
function detailQuery(transaction: Db) {
  return instanceQuery(transaction).select([
    'agents.keep_alive_until',
    'agents.protected',
    'agents.hibernation',
    'leases.id as lease_id',
    'leases.heartbeats',
    'leases.missed_heartbeats',
    'leases.first_heartbeat_at',
    'standing.heartbeat_interval_seconds',
    sql<number | null>`extract(epoch from agents.keep_alive_until - now())::float8`.as('keep_alive_seconds'),
  ]);
}

type Row = Awaited<ReturnType<ReturnType<typeof instanceQuery>['execute']>>[number];
type DetailRow = Awaited<ReturnType<ReturnType<typeof detailQuery>['execute']>>[number];

function toInstance(row: Row, costToday: string | null): HeartbeatInstance {
  const heard = row.lease_state === 'live';
  const alert = alertOf(row);
  return {
    instance_id: row.id,
    name: row.logical_agent_id,
    agent_id: row.agent_id,
    status: statusOf(row),
    last_heartbeat: row.last_heartbeat_at?.toISOString() ?? null,
    seconds_since_heartbeat: row.silence === null ? null : Math.max(0, Math.round(row.silence)),
    health: healthOf(row),
    gpu_utilization: heard ? row.gpu_utilization_percent : null,
    cost_today: costToday === null ? null : Number(costToday),
    cost_accumulated: row.cost_accumulated === null ? null : Number(row.cost_accumulated),
    instance_type: row.instance_type,
    mode: row.mode,
    az: row.az,
    region: row.region,
    ...(alert !== null && { alert }),
  };
}

function isPrimary(row: Row): boolean {
  return row.primary_instance_id === row.id;
}

function statusOf(row: Row): string {
  const { status, instance_status: machine }: { status: AgentStatus; instance_status: InstanceStatus } = row;
  if (!isPrimary(row)) return machine;
  return status === 'online' ? 'running' : status;
}

function healthOf(row: Row): Health {
  if (isPrimary(row) && (row.status === 'silent' || row.status === 'orphaned')) return 'unhealthy';
  return row.health ?? 'healthy';
}

/** What a person should look at, in a sentence. */
function alertOf(row: Row): string | null {
  if (!isPrimary(row)) return null;
  if (row.status === 'silent' || row.status === 'orphaned') {
    return `No heartbeat for ${spanOf(row.silence)}; it may be stuck.`;
  }
  if (row.warning_seconds !== null && row.hibernation_reason !== null) {
    return `${row.hibernation_reason.replace(/\.$/, '')}; to be hibernated in ${spanOf(Math.max(0, row.warning_seconds))}.`;
  }
  return row.health === 'unhealthy' ? 'Its agent reports that it is unhealthy.' : null;
}

function spanOf(seconds: number | null): string {
  if (seconds === null) return 'an unknown time';
  const [count, unit] =
    seconds < 120 ? [Math.round(seconds), 'second'] : [Math.floor(seconds / 60), 'minute'];
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

/** Beats that are missing just now. */
async function missing(transaction: Db, row: DetailRow): Promise<number> {
  const due = row.lease_state === 'live' || row.lease_state === 'silent';
  if (!due || row.lease_id === null || !row.heartbeat_interval_seconds) return 0;
  if (row.instance_status === 'terminated' || row.status === 'deleted') return 0;
  const { rows } = await sql<{ missed: number }>`
    select (${sql.raw(
      missedSince('client_id', 'instance_id', 'last_heartbeat_at', 'asked.interval_seconds'),
    )})::float8 as missed
    from leases, (select ${row.heartbeat_interval_seconds}::float8 as interval_seconds) asked
    where id = ${row.lease_id}`.execute(transaction);
  return rows[0]?.missed ?? 0;
}
