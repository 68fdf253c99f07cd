/**
 * Finds the leases that ran out. One statement makes agents silent and puts the news into the outbox.
 *
 * Invariants:
 *   S1  time in which nobody swept, or no intake could store a heartbeat, counts against no agent: afterwards every lease
 *       is extended once, by its whole term;
 *   S2  when over half of what a client has of agents stops sending at once, its news say so, one event says it to
 *       people, and a mass silence is open until one of them has looked into it: that is hardly the agents' doing;
 *   S3  so it is with over half of all agents, whose way to us they share, unless one client alone explains it.
 *
 * A client's agents do not send in step: the first lease to run out does so a whole interval before the last. So whoever
 * is late by then counts with those whose lease is over, and so does whoever fell silent a moment ago.
 */
import { sql } from 'kysely';
import { signalNames } from '../contracts/messages';
import { LEASE_INTERVALS } from '../contracts/policy-defaults';
import type { Db } from './connect';
import { noteIntakeAway, noteIntakeBack } from './intake-outages';
import {
  closeEndedMassSilences,
  LATE_INTERVALS,
  openMassSilence,
  RECENT_INTERVALS,
  tellOfSystemLookedInto,
} from './mass-silences';
import { tellEveryClient, writeEvents } from './system-events';

/** Held by whoever sweeps, so that of many workers one does. */
const SWEEP_LOCK = 7_351_001;

/** The intake says so every second; it has not been for this long when it is away. */
const INTAKE_AWAY_SECONDS = 5;

/** Fewer agents than this can fall silent together by chance. */
const MASS_AGENTS = 10;
/** What goes on within this time is the same mass silence. */
const MASS_GOES_ON_SECONDS = 600;

export interface SweepResult {
  /** False when another worker is sweeping, or while no intake is there. */
  swept: boolean;
  /** Leases that were given another term, because the time before says nothing about the agents. */
  extended: number;
  /** Leases that ran out. */
  lost: number;
}

const NOT_SWEPT: SweepResult = { swept: false, extended: 0, lost: 0 };

/** Without a sign for this long, heartbeats may have been lost, of agents too that were silent before. */
const SIGNS_GAP_SECONDS = 20;

/** An intake could store something just now. */
export async function signIntake(db: Db): Promise<void> {
  await sql`insert into sweep_runs (name, last_run_at, unbroken_since)
    values ('intake', clock_timestamp(), clock_timestamp())
    on conflict (name) do update set last_run_at = greatest(sweep_runs.last_run_at, excluded.last_run_at),
      unbroken_since = case
        when sweep_runs.last_run_at < excluded.last_run_at - make_interval(secs => ${SIGNS_GAP_SECONDS})
        then excluded.unbroken_since else sweep_runs.unbroken_since end`.execute(db);
}

/**
 * One sweep, by the database's clock.
 * @param gapSeconds after a pause longer than this, leases are extended once instead of ended.
 */
export function sweepLeases(db: Db, gapSeconds: number): Promise<SweepResult> {
  return db.transaction().execute(async (transaction) => {
    const lock = await sql<{
      held: boolean;
    }>`select pg_try_advisory_xact_lock(${SWEEP_LOCK}) as held`.execute(transaction);
    if (!lock.rows[0]?.held) return NOT_SWEPT;
    const { rows } = await sql<{ swept_lately: boolean; intake_is_there: boolean }>`
      select coalesce(max(last_run_at) filter (where name = 'leases')
          > now() - make_interval(secs => ${gapSeconds}), false) as swept_lately,
        coalesce(max(last_run_at) filter (where name = 'intake')
          > now() - make_interval(secs => ${INTAKE_AWAY_SECONDS}), false) as intake_is_there
      from sweep_runs where name in ('leases', 'intake')`.execute(transaction);
    // Not noted as a sweep, so that the first one after it finds a gap.
    if (!rows[0]?.intake_is_there) {
      await noteIntakeAway(transaction);
      return NOT_SWEPT;
    }
    await noteIntakeBack(transaction);
    await sql`insert into sweep_runs (name, last_run_at) values ('leases', now())
      on conflict (name) do update set last_run_at = excluded.last_run_at`.execute(transaction);
    await tellOfSystemLookedInto(transaction);
    if (!rows[0].swept_lately) return { swept: true, extended: await extendLeases(transaction), lost: 0 };
    const lost = await endLeases(transaction);
    await closeEndedMassSilences(transaction);
    return { swept: true, extended: 0, lost };
  });
}

async function extendLeases(db: Db): Promise<number> {
  const extended = await sql`
    update leases set lease_until = now() + make_interval(secs => ${LEASE_INTERVALS} * standing.heartbeat_interval_seconds)
    from instance_standing standing
    where standing.agent_id = leases.agent_id and standing.instance_id = leases.instance_id
      and leases.state = 'live'`.execute(db);
  return Number(extended.numAffectedRows ?? 0);
}

interface LostOfClient {
  client_id: string;
  lost: number;
  mass: boolean;
  /** Late or silent, of all. */
  gone: number;
  total: number;
  /** Of the leases that ended in a mass silence. */
  ids: string[] | null;
  /** Of all clients: late or silent, of all; and whether that is a mass silence of the system. */
  system_gone: number;
  system_total: number;
  system_mass: boolean;
}

/** Most sweeps find nothing, by one look over the leases. */
async function endLeases(db: Db): Promise<number> {
  const ended = await sql<LostOfClient>`
    with due as materialized (
      select leases.id, leases.client_id from leases
      join instance_standing standing using (agent_id, instance_id)
      where leases.state = 'live' and leases.lease_until < now() and standing.role = 'primary'
    ), clients as (
      select leases.client_id, count(*)::int as total, (count(*) filter (where leases.last_heartbeat_at
        < now() - make_interval(secs => ${LATE_INTERVALS} * standing.heartbeat_interval_seconds)))::int as gone
      from leases join instance_standing standing using (agent_id, instance_id)
      left join agents on agents.id = leases.agent_id
      where exists (select from due) and standing.role = 'primary'
        -- Whoever is at rest is silent for a reason.
        and coalesce(agents.status, 'online') not in ('hibernating', 'hibernated', 'deleted')
        and (leases.state = 'live' or (leases.state = 'silent' and leases.lease_until
          > now() - make_interval(secs => ${RECENT_INTERVALS} * standing.heartbeat_interval_seconds)))
      group by leases.client_id
    ), everyone as (
      select sum(gone)::int as gone, sum(total)::int as total,
        sum(total) >= ${MASS_AGENTS} and sum(gone) * 2 > sum(total)
          -- Nor does the client that lost most explain it.
          and (sum(gone) - max(gone)) * 2 > sum(total) - (array_agg(total order by gone desc))[1] as mass
      from clients
    ), judged as (
      select client_id, clients.total, clients.gone,
        clients.total >= ${MASS_AGENTS} and clients.gone * 2 > clients.total or everyone.mass as mass,
        everyone.gone as system_gone, everyone.total as system_total, everyone.mass as system_mass
      from clients, everyone
    ), lost as (
      update leases set state = 'silent', revision = leases.revision + 1
      from due join judged using (client_id)
      where leases.id = due.id and leases.state = 'live' and leases.lease_until < now()
      returning leases.id, leases.client_id, leases.agent_id, leases.instance_id, leases.revision, leases.last_heartbeat_at,
        judged.mass
    ), told as (
      insert into outbox (client_id, workflow_id, signal, payload)
      select client_id, 'agent:' || agent_id, ${signalNames.heartbeatLost},
        jsonb_build_object('instanceId', instance_id, 'revision', revision,
          'lastHeartbeatAt', to_char(last_heartbeat_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
          || case when mass then '{"massSilence": true}' else '{}' end::jsonb
      from lost
    )
    select client_id, count(*)::int as lost, mass, min(gone) as gone, min(total) as total,
      case when mass then array_agg(lost.id::text) end as ids, bool_or(system_mass) as system_mass,
      min(system_gone) as system_gone, min(system_total) as system_total
    from lost join judged using (client_id, mass) group by client_id, mass`.execute(db);
  const [first] = ended.rows;
  if (first?.system_mass) await tellOfSystemMassSilence(db, ended.rows);
  else for (const one of ended.rows) if (one.mass) await tellOfMassSilence(db, one);
  return ended.rows.reduce((sum, row) => sum + row.lost, 0);
}

async function tellOfMassSilence(db: Db, { client_id: clientId, gone, total, ids }: LostOfClient) {
  const opened = await openMassSilence(db, clientId, { agents: total, silentAgents: gone }, ids ?? []);
  const at = await beginning(db, `mass_silence:${clientId}`, opened);
  if (at === null) return;
  await writeEvents(db, clientId, null, [
    {
      key: `mass-silence:${clientId}:${at.toISOString()}`,
      eventType: 'mass_silence',
      severity: 'critical',
      instanceId: null,
      message: `${gone} of ${total} agents of client ${clientId} stopped sending at the same time. That is hardly the agents' doing, so none of their machines is stopped for it until a person says that it was looked into (spotkeeper mass-silence looked-into --client ${clientId}); look at the network between them and this system, and at their region.`,
      details: { agents_late_or_silent: gone, agents: total },
    },
  ]);
}

/** Every client is told, without figures of the others. */
async function tellOfSystemMassSilence(db: Db, lost: readonly LostOfClient[]): Promise<void> {
  const figures = { agents: lost[0]?.system_total ?? 0, silentAgents: lost[0]?.system_gone ?? 0 };
  const opened = await openMassSilence(
    db,
    null,
    figures,
    lost.flatMap(({ ids }) => ids ?? []),
  );
  const at = await beginning(db, 'mass_silence', opened);
  if (at === null) return;
  await tellEveryClient(db, {
    key: `mass-silence:system:${at.toISOString()}`,
    eventType: 'mass_silence',
    severity: 'critical',
    instanceId: null,
    message:
      "Over half of the whole system's agents stopped sending at the same time. That is hardly the agents' doing, so no machine of any client is stopped for silence until an administrator says that it was looked into (spotkeeper mass-silence looked-into --system); look at what is in front of the API: its name, its certificate, its load balancer, its authentication.",
    details: { scope: 'system' },
  });
}

/** One event for what goes on, however many sweeps it takes until the last lease has run out: null when it goes on. */
async function beginning(db: Db, name: string, opened: boolean): Promise<Date | null> {
  const { rows } = await sql<{ goes_on: boolean; now: Date }>`
    select now(), exists (select from sweep_runs where name = ${name}
      and last_run_at > now() - make_interval(secs => ${MASS_GOES_ON_SECONDS})) as goes_on`.execute(db);
  await sql`insert into sweep_runs (name, last_run_at) values (${name}, now())
    on conflict (name) do update set last_run_at = excluded.last_run_at`.execute(db);
  const [found] = rows;
  return !found || (found.goes_on && !opened) ? null : found.now;
}
