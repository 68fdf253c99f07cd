/** Finds the leases that ran out. One statement makes an agent silent and puts the news into the outbox. */
import { sql } from 'kysely';
import { signalNames } from '../contracts/messages';
import { LEASE_INTERVALS } from '../contracts/policy-defaults';
import type { Db } from './connect';

/** Held by whoever sweeps, so that of many workers one does. */
const SWEEP_LOCK = 7_351_001;

export interface SweepResult {
  /** False when another worker is sweeping. */
  swept: boolean;
  /** Leases that were given another term because nobody swept for a while, which says nothing about the agents. */
  extended: number;
  /** Leases that ran out. */
  lost: number;
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
    if (!lock.rows[0]?.held) return { swept: false, extended: 0, lost: 0 };
    const last = await sql<{ recent: boolean }>`
      select last_run_at > now() - make_interval(secs => ${gapSeconds}) as recent
      from sweep_runs where name = 'leases'`.execute(transaction);
    await sql`insert into sweep_runs (name, last_run_at) values ('leases', now())
      on conflict (name) do update set last_run_at = excluded.last_run_at`.execute(transaction);
    if (!last.rows[0]?.recent) return { swept: true, extended: await extendLeases(transaction), lost: 0 };
    return { swept: true, extended: 0, lost: await endLeases(transaction) };
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

async function endLeases(db: Db): Promise<number> {
  const ended = await sql`
    with lost as (
      update leases set state = 'silent', revision = leases.revision + 1
      from instance_standing standing
      where standing.agent_id = leases.agent_id and standing.instance_id = leases.instance_id
        and standing.role = 'primary' and leases.state = 'live' and leases.lease_until < now()
      returning leases.client_id, leases.agent_id, leases.instance_id, leases.revision, leases.last_heartbeat_at
    )
    insert into outbox (client_id, workflow_id, signal, payload)
    select client_id, 'agent:' || agent_id, ${signalNames.heartbeatLost},
      jsonb_build_object('instanceId', instance_id, 'revision', revision,
        'lastHeartbeatAt', to_char(last_heartbeat_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
    from lost`.execute(db);
  return Number(ended.numAffectedRows ?? 0);
}
