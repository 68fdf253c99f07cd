/** What the books say, at this moment, of the grounds for putting a machine to rest. Read only. */
import { sql } from 'kysely';
import type { Db } from './connect';
import { IS_SILENT_IN_IT, LATE_INTERVALS } from './mass-silences';

/** Which instance of which agent. */
export interface RestSubject {
  clientId: string;
  agentId: string;
  instanceId: string;
}

export interface RestGrounds {
  /** A person asked that no policy stops or deletes the machine, or keeps the agent alive just now. */
  protected: boolean;
  keptAlive: boolean;
  /** Whether some API takes heartbeats in: if none does, silence is ours. */
  intakeAlive: boolean;
  /** For how long it has been there without a gap: before that an agent may have spoken, and nobody could hear it. */
  intakeSeconds: number;
  /** Where others' leases are live, heartbeats arrive; false when none does, as behind a broken proxy. */
  othersHeard: boolean;
  /**
   * Since the last heartbeat, or the registration before the first, or since its machine was started again, by the
   * database's clock; null without any.
   */
  silentSeconds: number | null;
  /** A goodbye that a stop of its machine brought about, as every orderly stop does, isn't one. */
  saidGoodbye: boolean;
  /**
   * It fell silent with most of its client, or most agents of the system did so at any time, and nobody has said that this
   * was looked into.
   */
  massSilence: boolean;
  heartbeatIntervalSeconds: number;
  leaseId: string | null;
}

/** The intake says every few seconds that it is there. */
const INTAKE_SECONDS = 60;

const ON_TIME = `theirs.last_heartbeat_at
  > now() - make_interval(secs => ${LATE_INTERVALS} * their_standing.heartbeat_interval_seconds)`;

/** SQL: whether there is another agent, whosever, with a live lease of which `condition` is so. */
const liveOther = (condition: string) => `exists (select from leases theirs
  join instance_standing their_standing using (agent_id, instance_id)
  where theirs.state = 'live' and their_standing.role = 'primary' and theirs.agent_id <> agents.id and ${condition})`;

/** Null when the instance is not the agent's primary in the books. */
export async function readGrounds(db: Db, subject: RestSubject): Promise<RestGrounds | null> {
  const { rows } = await sql<RestGrounds>`
    select agents.protected, coalesce(agents.keep_alive_until > now(), false) as "keptAlive",
      coalesce((select last_run_at > now() - make_interval(secs => ${INTAKE_SECONDS})
        from sweep_runs where name = 'intake'), false) as "intakeAlive",
      coalesce((select extract(epoch from now() - unbroken_since) from sweep_runs where name = 'intake'), 0)::float8
        as "intakeSeconds",
      extract(epoch from now() - greatest(leases.last_heartbeat_at, stops.started_at))::float8 as "silentSeconds",
      coalesce(leases.state = 'offline' and (stops.stopped_at >= leases.last_heartbeat_at) is not true, false)
        as "saidGoodbye",
      exists (select from mass_silences silence
        where silence.closed_at is null
          and (silence.client_id is null or ${sql.raw(IS_SILENT_IN_IT)})) as "massSilence",
      (${sql.raw(liveOther(ON_TIME))} or not ${sql.raw(liveOther('true'))}) as "othersHeard",
      standing.heartbeat_interval_seconds as "heartbeatIntervalSeconds", leases.id as "leaseId"
    from agents
    join instance_standing standing on standing.agent_id = agents.id and standing.role = 'primary'
    left join leases on leases.agent_id = agents.id and leases.instance_id = standing.instance_id
    left join lateral (
      select max(stopped_at) as stopped_at, max(started_at) as started_at from instance_stops stop
      where stop.client_id = standing.client_id and stop.instance_id = standing.instance_id
    ) stops on true
    where agents.id = ${subject.agentId} and agents.client_id = ${subject.clientId}
      and standing.instance_id = ${subject.instanceId}`.execute(db);
  return rows[0] ?? null;
}

export interface IdleSamples {
  samples: number;
  /** Busy, or of an unknown reading. */
  notIdle: number;
  /** The longest time without a sample, from the window's start to now. */
  longestGapSeconds: number;
}

/** The samples of one lease in the last seconds. */
export async function readIdleSamples(db: Db, leaseId: string, seconds: number): Promise<IdleSamples> {
  const { rows } = await sql<IdleSamples>`
    with seen as (
      select received_at, idle from heartbeat_samples
      where lease_id = ${leaseId} and received_at >= now() - make_interval(secs => ${seconds})
    ), moments as (
      select received_at as at from seen
      union all select now() - make_interval(secs => ${seconds}) union all select now()
    ), gaps as (
      select at - lag(at) over (order by at) as gap from moments
    )
    select (select count(*)::int from seen) as samples,
      (select count(*)::int from seen where idle is not true) as "notIdle",
      (select extract(epoch from max(gap))::float8 from gaps) as "longestGapSeconds"`.execute(db);
  return rows[0] as IdleSamples;
}
