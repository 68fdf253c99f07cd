/**
 * The heartbeat intake's tables, under the role spotkeeper_ingest: which instance counts, its lease, and the samples.
 * All times are the database's own.
 */
import { sql } from 'kysely';
import { agentWorkflowId } from '../contracts/ids';
import { signalNames } from '../contracts/messages';
import { LEASE_INTERVALS } from '../contracts/policy-defaults';
import type { InstanceRole } from '../contracts/states';
import { booleanArray, numberArray, textArray } from './array-text';
import { type Db, poolOf } from './connect';
import {
  type Beat,
  IDLE_REPORTED,
  IDLE_SINCE,
  IS_TOLD,
  MISSED,
  type Readings,
  type Standing,
} from './heartbeat-news';

/** `deleted`: the agent is. `none`: nothing of ours stands for this agent on this instance. Both store nothing. */
export type StoredBeat = Standing | 'deleted' | 'none';

export interface StoredBeats {
  /** In the order of the beats. */
  standings: StoredBeat[];
  /** Workflows for which signals now wait in the outbox. */
  workflowIds: string[];
}

/**
 * Stores beats in one transaction: leases, samples, and the outbox's signals for those that are news.
 * @param beats at most one of each (agent, instance).
 * @param everyBeat each beat of an instance that counts is a signal, news or not.
 */
export async function storeBeats(db: Db, beats: readonly Beat[], everyBeat: boolean): Promise<StoredBeats> {
  const first = await storeKnown(db, beats, everyBeat);
  const missing = beats.flatMap((beat, place) =>
    first.standings[place] === 'none' ? [{ beat, place }] : [],
  );
  if (missing.length === 0) return first;
  // Either there is no standing, or only the lease is missing.
  const opened = await openLeases(
    db,
    missing.map((one) => one.beat),
  );
  const again = missing.filter((one) => opened.has(keyOf(one.beat)));
  if (again.length === 0) return first;
  const second = await storeKnown(
    db,
    again.map((one) => one.beat),
    everyBeat,
  );
  again.forEach(({ place }, index) => (first.standings[place] = second.standings[index] as StoredBeat));
  return {
    standings: first.standings,
    workflowIds: [...new Set([...first.workflowIds, ...second.workflowIds])],
  };
}

/** The instance that counts as the agent's primary, for a beat that names none; null when there is none. */
export async function primaryInstance(db: Db, clientId: string, agentId: string): Promise<string | null> {
  const row = await db
    .selectFrom('instance_standing')
    .select('instance_id')
    .where('agent_id', '=', agentId)
    .where('client_id', '=', clientId)
    .where('role', '=', 'primary')
    .executeTakeFirst();
  return row?.instance_id ?? null;
}

/**
 * The agent that an instance speaks for: the one whose primary or candidate it is, else the latest one that it was.
 * Null for an instance that no agent of the client ever had.
 */
export async function agentOfInstance(
  db: Db,
  clientId: string,
  instanceId: string,
): Promise<{ agentId: string; role: InstanceRole } | null> {
  const row = await db
    .selectFrom('instance_standing')
    .innerJoin('leases', (join) =>
      join
        .onRef('leases.agent_id', '=', 'instance_standing.agent_id')
        .onRef('leases.instance_id', '=', 'instance_standing.instance_id'),
    )
    .select(['instance_standing.agent_id', 'role'])
    .where('instance_standing.client_id', '=', clientId)
    .where('instance_standing.instance_id', '=', instanceId)
    .orderBy(sql`role = 'superseded'`)
    .orderBy('leases.id', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row ? { agentId: row.agent_id, role: row.role } : null;
}

type LeaseKey = Pick<Beat, 'clientId' | 'agentId' | 'instanceId'>;

/** Starts the lease of an instance that has registered, so that one which dies before its first beat is missed too. */
export async function openLease(db: Db, lease: LeaseKey): Promise<void> {
  await openLeases(db, [lease]);
}

/** @returns keys of those that now have one, whoever opened it. */
async function openLeases(db: Db, keys: readonly LeaseKey[]): Promise<Set<string>> {
  const found = await sql<{ agentId: string; instanceId: string }>`
    with wanted as (
      select agent_id, instance_id, client_id, heartbeat_interval_seconds
      from unnest(${keys.map((key) => key.agentId)}::text[], ${keys.map((key) => key.instanceId)}::text[],
        ${keys.map((key) => key.clientId)}::text[]) as wanted (agent_id, instance_id, client_id)
      join instance_standing using (agent_id, instance_id, client_id)
      order by agent_id, instance_id
    ), opened as (
      insert into leases (agent_id, instance_id, client_id, revision, state, health, heartbeats,
        first_heartbeat_at, last_heartbeat_at, lease_until)
      select agent_id, instance_id, client_id, 0, 'live', 'healthy', 0, now(), now(),
        now() + make_interval(secs => ${LEASE_INTERVALS} * heartbeat_interval_seconds)
      from wanted
      on conflict (agent_id, instance_id) do nothing
    )
    select agent_id as "agentId", instance_id as "instanceId" from wanted`.execute(db);
  return new Set(found.rows.map(keyOf));
}

/** An unnamed goodbye may be the zombie's once there was a second instance: it is passed on, and moves no lease. */
const FROM_ANYONE = `known.offline and not known.named and known.current_incarnation > 1`;

/**
 * One statement, so that a batch takes one round trip and either all of it is stored or nothing. Leases are locked in
 * the order of their keys, so that two intakes never wait for each other. It is prepared once a connection: to plan it
 * takes longer than to run it for a few beats.
 */
const STORE = `
with known as materialized (
  select beat.*, standing.role, standing.incarnation, standing.current_incarnation,
    standing.heartbeat_interval_seconds as interval_seconds, standing.config_revision, standing.idle_warning_seconds,
    standing.hibernation_due_at, standing.hibernation_reason, $17::boolean as every_beat,
    not beat.offline and beat.gpu < standing.idle_threshold_percent as idle,
    case when standing.role = 'superseded' then coalesce((select deleted_at is not null from agents
      where agents.id = beat.agent_id), false) else false end as deleted
  from unnest($1::text[], $2::text[], $3::text[], $4::boolean[], $5::boolean[], $6::text[], $7::text[], $8::text[],
      $9::real[], $10::real[], $11::real[], $12::real[], $13::real[], $14::numeric[], $15::integer[], $16::integer[])
    as beat (client_id, agent_id, instance_id, named, offline, health, mode, az,
      gpu, vram, cpu, ram, disk, cost, uptime, place)
  join instance_standing standing using (client_id, agent_id, instance_id)
  order by agent_id, instance_id
), moved as (
  update leases set
    revision = leases.revision + 1,
    told_revision = case when ${IS_TOLD} then leases.revision + 1 else leases.told_revision end,
    state = case when known.offline then 'offline' else 'live' end,
    health = known.health,
    mode = coalesce(known.mode, leases.mode),
    az = coalesce(known.az, leases.az),
    gpu_utilization_percent = known.gpu,
    cost_accumulated = coalesce(known.cost, leases.cost_accumulated),
    idle_since = ${IDLE_SINCE},
    idle_reported = ${IDLE_REPORTED},
    heartbeats = leases.heartbeats + 1,
    missed_before = ${MISSED},
    missed_heartbeats = leases.missed_heartbeats + ${MISSED},
    first_heartbeat_at = case when leases.heartbeats = 0 then now() else leases.first_heartbeat_at end,
    last_heartbeat_at = greatest(leases.last_heartbeat_at, now()),
    lease_until = case when known.offline then now()
      else now() + make_interval(secs => ${LEASE_INTERVALS} * known.interval_seconds) end
  from known
  where leases.agent_id = known.agent_id and leases.instance_id = known.instance_id
    and not known.deleted and not (${FROM_ANYONE})
  returning known.*, leases.id as lease_id, leases.revision, leases.told_revision = leases.revision as told,
    leases.mode as known_mode, leases.az as known_az, leases.idle_since, leases.idle_reported, leases.missed_before
), sampled as (
  insert into heartbeat_samples (lease_id, online, healthy, idle, missed, gpu_utilization_percent, vram_used_gb,
    cpu_utilization_percent, ram_used_gb, disk_used_gb, cost_accumulated, uptime_seconds)
  select lease_id, not offline, health = 'healthy', idle, missed_before, gpu, vram, cpu, ram, disk, cost, uptime
  from moved
), news as (
  insert into outbox (client_id, workflow_id, signal, payload)
  select client_id, 'agent:' || agent_id, '${signalNames.heartbeat}', jsonb_build_object('instanceId', instance_id,
    'revision', revision, 'health', health, 'mode', known_mode, 'zone', known_az, 'gpuUtilizationPercent', gpu,
    'idleSince', case when idle_reported then ${iso('idle_since')} end, 'receivedAt', ${iso('now()')})
  from moved where told and not offline
  union all
  select client_id, 'agent:' || agent_id, '${signalNames.goneOffline}', jsonb_build_object('instanceId',
    instance_id, 'named', named, 'revision', revision, 'receivedAt', ${iso('now()')})
  from moved where told and offline
  union all
  select client_id, 'agent:' || agent_id, '${signalNames.goneOffline}', jsonb_build_object('instanceId', null,
    'revision', 0, 'receivedAt', ${iso('now()')})
  from known where not deleted and role <> 'superseded' and ${FROM_ANYONE}
)
select place, role, incarnation, current_incarnation as "currentIncarnation", interval_seconds as "intervalSeconds",
  config_revision as "configRevision", told, false as deleted,
  case when role = 'primary' and idle_since is not null
    then extract(epoch from hibernation_due_at - now())::float8 end as "dueInSeconds",
  hibernation_reason as "reason"
from moved
union all
select place, role, incarnation, current_incarnation, interval_seconds, config_revision,
  not deleted and role <> 'superseded', deleted, null, null
from known where deleted or ${FROM_ANYONE}`;

function iso(expression: string): string {
  return `to_char(${expression} at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
}

interface StoredRow extends Omit<Standing, 'warning'> {
  place: number;
  told: boolean;
  deleted: boolean;
  dueInSeconds: number | null;
  reason: string | null;
}

/** Those whose lease isn't there are among the `none`. */
async function storeKnown(db: Db, beats: readonly Beat[], everyBeat: boolean): Promise<StoredBeats> {
  const { rows } = await poolOf(db).query<StoredRow>({
    name: 'store_beats',
    text: STORE,
    values: [
      textArray(beats.map((beat) => beat.clientId)),
      textArray(beats.map((beat) => beat.agentId)),
      textArray(beats.map((beat) => beat.instanceId)),
      booleanArray(beats.map((beat) => beat.named)),
      booleanArray(beats.map((beat) => beat.status === 'offline')),
      textArray(beats.map((beat) => beat.health)),
      textArray(beats.map((beat) => beat.mode)),
      textArray(beats.map((beat) => beat.zone)),
      known(beats, 'gpuUtilizationPercent'),
      known(beats, 'vramUsedGb'),
      known(beats, 'cpuUtilizationPercent'),
      known(beats, 'ramUsedGb'),
      known(beats, 'diskUsedGb'),
      known(beats, 'costAccumulated'),
      known(beats, 'uptimeSeconds'),
      numberArray(beats.map((_, place) => place)),
      everyBeat,
    ],
  });
  const standings = beats.map((): StoredBeat => 'none');
  const workflowIds = new Set<string>();
  for (const row of rows) {
    standings[row.place] = row.deleted ? 'deleted' : standingOf(row);
    if (row.told) workflowIds.add(agentWorkflowId((beats[row.place] as Beat).agentId));
  }
  return { standings, workflowIds: [...workflowIds] };
}

function standingOf(row: StoredRow): Standing {
  const { role, incarnation, currentIncarnation, intervalSeconds, configRevision, dueInSeconds } = row;
  const warning =
    dueInSeconds === null ? null : { secondsLeft: Math.max(0, dueInSeconds), reason: row.reason ?? '' };
  return { role, incarnation, currentIncarnation, intervalSeconds, configRevision, warning };
}

/** Arrays of nothing but unknowns are sent empty: `unnest` fills them up. */
function known(beats: readonly Beat[], reading: keyof Readings): string {
  const values = beats.map((beat) => beat.readings[reading]);
  return values.some((value) => value !== null) ? numberArray(values) : '{}';
}

/** Neither part holds a space. */
export function keyOf({ agentId, instanceId }: Pick<Beat, 'agentId' | 'instanceId'>): string {
  return `${agentId} ${instanceId}`;
}
