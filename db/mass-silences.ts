/**
 * Times in which most agents of a client, or of the whole system, fell silent at once. That is hardly their doing, so until
 * a person has looked into it nothing is stopped for it.
 *
 * - **open**: not yet looked into, and not all of its agents are heard again. A client has one at most, and so has the
 *   system.
 * - **covered**: an agent that fell silent in it, or moments before, and is silent still. While the system's is open,
 *   whoever was silent before can't be heard either, so nothing is stopped for any silence.
 *
 * Invariants:
 *   M1  what the sweep loses to one is written in the transaction that touches its row, and the row is closed before its
 *       agents are told; so none is told too early, and none that is held is left without an open row;
 *   M2  however often it is said that one was looked into, its agents hear it once.
 */
import { sql } from 'kysely';
import { signalNames } from '../contracts/messages';
import type { Db } from './connect';
import { tellEveryClient, writeEvents } from './system-events';

/** An agent this many intervals after its last heartbeat is late. */
export const LATE_INTERVALS = 1.5;

/** How long after its lease an agent counts as one that fell silent just now. */
export const RECENT_INTERVALS = 2;

/** SQL: whether the lease (of `leases`, with its `standing`) ended in the mass silence `silence` and was not renewed. */
export const IS_SILENT_IN_IT = `(silence.client_id is null or leases.client_id = silence.client_id)
  and leases.state = 'silent'
  and leases.lease_until > silence.began_at - make_interval(secs => ${RECENT_INTERVALS} * standing.heartbeat_interval_seconds)
  and leases.lease_until <= silence.last_lost_at`;

/** SQL: whether the lease (with its agent in `agents`, if there is one) is covered by it: who is at rest isn't. */
const IS_COVERED = `${IS_SILENT_IN_IT} and standing.role = 'primary'
  and coalesce(agents.status, 'online') not in ('hibernated', 'deleted')`;

const COVERED_LEASES = `leases join instance_standing standing using (agent_id, instance_id)
  left join agents on agents.id = leases.agent_id`;

/** SQL: whether an agent of the client is held by another one than those of which `ids` selects the ids. */
const isHeldBeside = (clientId: string, ids: string) => `exists (select from mass_silences other
  where other.closed_at is null and (other.client_id is null or other.client_id = ${clientId})
    and other.id not in (${ids}))`;

/**
 * Agents of a client, or (null) of the whole system, were lost together, by the sweep's transaction. Those that fell
 * silent moments before, when they did not seem to be many, are held as well.
 * @param lostIds leases that were told already.
 * @returns whether nobody knew of it before.
 */
export async function openMassSilence(
  db: Db,
  clientId: string | null,
  figures: { agents: number; silentAgents: number },
  lostIds: readonly string[],
): Promise<boolean> {
  const { rows } = await sql<{ id: string; opened: boolean }>`
    insert into mass_silences (client_id, agents, silent_agents)
    values (${clientId}, ${figures.agents}, ${figures.silentAgents})
    on conflict (coalesce(client_id, '*')) where closed_at is null do update set last_lost_at = now(),
      agents = excluded.agents, silent_agents = greatest(mass_silences.silent_agents, excluded.silent_agents)
    returning id, xmax = 0 as opened`.execute(db);
  const [row] = rows;
  if (!row?.opened) return false;
  await sql`
    with held as (
      update leases set revision = leases.revision + 1
      from (
        select leases.id from ${sql.raw(COVERED_LEASES)}
        join mass_silences silence on silence.id = ${row.id}
        where ${sql.raw(IS_COVERED)}
      ) covered
      where covered.id = leases.id and leases.state = 'silent' and leases.id <> all (${[...lostIds]}::bigint[])
      returning leases.*
    )
    insert into outbox (client_id, workflow_id, signal, payload)
    select client_id, 'agent:' || agent_id, ${signalNames.heartbeatLost},
      jsonb_build_object('instanceId', instance_id, 'revision', revision, 'massSilence', true,
        'lastHeartbeatAt', to_char(last_heartbeat_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
    from held`.execute(db);
  return true;
}

/**
 * Closes those of which every agent is heard again, or has ended otherwise. Agents that hold still for another reason,
 * such as a goodbye that did not count, are told, so that none is held by a row that is gone.
 */
export async function closeEndedMassSilences(db: Db): Promise<void> {
  await sql`
    with closed as (
      update mass_silences silence set closed_at = now()
      where closed_at is null and not exists (
        select from ${sql.raw(COVERED_LEASES)} where ${sql.raw(IS_COVERED)})
      returning id, client_id
    )
    insert into outbox (client_id, workflow_id, signal, payload)
    select client_id, 'agent:' || agents.id, ${signalNames.massSilenceLookedInto},
      jsonb_build_object('at', to_char(now() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
    from agents where status in ('silent', 'orphaned', 'hibernating')
      and exists (select from closed where closed.client_id is null or closed.client_id = agents.client_id)
      and not ${sql.raw(isHeldBeside('agents.client_id', 'select id from closed'))}`.execute(db);
}

/** The agents of a mass silence of the whole system that a person has looked into: the sweep sees all clients'. */
export async function tellOfSystemLookedInto(db: Db): Promise<void> {
  await sql`
    with looked_into as (
      update mass_silences set told_at = now()
      where client_id is null and closed_by is not null and told_at is null
      returning id, closed_at
    )
    insert into outbox (client_id, workflow_id, signal, payload)
    select leases.client_id, 'agent:' || leases.agent_id, ${signalNames.massSilenceLookedInto},
      jsonb_build_object('at', to_char((select max(closed_at) from looked_into) at time zone 'utc',
        'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
    from ${sql.raw(COVERED_LEASES)}
    where exists (select from looked_into) and standing.role = 'primary' and leases.state = 'silent'
      and coalesce(agents.status, 'online') <> 'deleted'
      and not ${sql.raw(isHeldBeside('leases.client_id', 'select id from looked_into'))}`.execute(db);
}

export interface MassSilenceRow {
  /** Null for the system's. */
  clientId: string | null;
  beganAt: Date;
  lastLostAt: Date;
  /** Of the client or the system, and how many of them were late or silent when it was worst. */
  agents: number;
  silentAgents: number;
  /** Of an open one. */
  stillSilent: number;
  closedAt: Date | null;
  /** Null also for one that ended by itself. */
  closedBy: string | null;
  note: string | null;
}

/** The latest first; of all clients that the scope shows, and the system's, unless one is named. */
export async function readMassSilences(
  transaction: Db,
  { clientId, openOnly, limit }: { clientId: string | null; openOnly: boolean; limit: number },
): Promise<MassSilenceRow[]> {
  const { rows } = await sql<MassSilenceRow>`
    select client_id as "clientId", began_at as "beganAt", last_lost_at as "lastLostAt", agents,
      silent_agents as "silentAgents", closed_at as "closedAt", closed_by as "closedBy", note,
      case when closed_at is not null then 0 else (
        select count(*)::int from ${sql.raw(COVERED_LEASES)} where ${sql.raw(IS_COVERED)}) end as "stillSilent"
    from mass_silences silence
    where (${clientId}::text is null or client_id = ${clientId}) and (not ${openOnly} or closed_at is null)
    order by id desc limit ${limit}`.execute(transaction);
  return rows;
}

/**
 * A person says that the open one was looked into: from now on the silence of its agents counts as any other. Without an
 * open one nothing changes.
 * @param transaction in the client's scope.
 */
export async function closeMassSilence(
  transaction: Db,
  { clientId, by, note }: { clientId: string; by: string; note: string },
): Promise<void> {
  const { rows } = await sql<{ id: string; at: string }>`
    update mass_silences set closed_at = now(), closed_by = ${by}, note = ${note}
    where client_id = ${clientId} and closed_at is null
    returning id, to_char(now() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at`.execute(
    transaction,
  );
  const [closed] = rows;
  if (!closed) return;
  // All that are silent: the sweep's word of one may still be on its way to its workflow, and comes before this.
  const told = await sql`
    insert into outbox (client_id, workflow_id, signal, payload)
    select leases.client_id, 'agent:' || leases.agent_id, ${signalNames.massSilenceLookedInto},
      jsonb_build_object('at', ${closed.at}::text)
    from ${sql.raw(COVERED_LEASES)}
    where leases.client_id = ${clientId} and standing.role = 'primary' and leases.state = 'silent'
      and coalesce(agents.status, 'online') <> 'deleted'`.execute(transaction);
  const agents = Number(told.numAffectedRows ?? 0);
  await writeEvents(transaction, clientId, null, [
    {
      key: `mass-silence:${clientId}:${closed.id}:looked-into`,
      eventType: 'mass_silence_looked_into',
      severity: 'info',
      instanceId: null,
      message: `The mass silence of client ${clientId} was looked into by ${by}: ${note}. From now on the silence of the ${agents} agents that are still silent counts as their policies say.`,
      details: { by, note, silent_agents: agents },
    },
  ]);
}

/**
 * A person says that the whole system's open one was looked into; the sweep tells its agents. Without an open one nothing
 * changes.
 * @param transaction in an administrator's scope.
 */
export async function closeSystemMassSilence(
  transaction: Db,
  { by, note }: { by: string; note: string },
): Promise<void> {
  const { rows } = await sql<{ id: string }>`
    update mass_silences set closed_at = now(), closed_by = ${by}, note = ${note}
    where client_id is null and closed_at is null returning id`.execute(transaction);
  const [closed] = rows;
  if (!closed) return;
  await tellEveryClient(transaction, {
    key: `mass-silence:system:${closed.id}:looked-into`,
    eventType: 'mass_silence_looked_into',
    severity: 'info',
    instanceId: null,
    message: `The mass silence of the whole system was looked into by ${by}: ${note}. From now on the silence of agents that are still silent counts as their policies say.`,
    details: { by, note, scope: 'system' },
  });
}
