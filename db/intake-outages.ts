/**
 * Tells people when no API takes heartbeats in, for which nothing else would: no lease is ended for it, and a process that
 * is down alerts nobody. The lease sweep finds it.
 */
import { sql } from 'kysely';
import type { Db } from './connect';
import { tellEveryClient } from './system-events';

/** A restart takes less. */
const TOLD_AFTER_SECONDS = 60;

/** What `sweep_runs` keeps of it: the last sign before the latest outage that was told, and before the latest that ended. */
const AWAY = 'intake_away';
const BACK = 'intake_back';

/** No intake is there. One event an outage, however many sweeps find it. */
export async function noteIntakeAway(db: Db): Promise<void> {
  const { rows } = await sql<{ sign: Date }>`
    insert into sweep_runs (name, last_run_at)
    select ${AWAY}, last_run_at from sweep_runs
    where name = 'intake' and last_run_at < now() - make_interval(secs => ${TOLD_AFTER_SECONDS})
    on conflict (name) do update set last_run_at = excluded.last_run_at
      where sweep_runs.last_run_at < excluded.last_run_at
    returning last_run_at as sign`.execute(db);
  const [away] = rows;
  if (!away) return;
  await tellEveryClient(db, {
    key: `intake-away:${away.sign.toISOString()}`,
    eventType: 'intake_away',
    severity: 'critical',
    instanceId: null,
    message: `No API has been able to store a heartbeat since ${away.sign.toISOString()}. No agent is called silent for it and no machine is stopped for silence or idleness, and nobody hears of a notice of EC2 either.`,
    details: { since: away.sign.toISOString() },
  });
}

/** An intake is there. Its return is told if its absence was. */
export async function noteIntakeBack(db: Db): Promise<void> {
  const { rows } = await sql<{ sign: Date }>`
    insert into sweep_runs (name, last_run_at) select ${BACK}, last_run_at from sweep_runs where name = ${AWAY}
    on conflict (name) do update set last_run_at = excluded.last_run_at
      where sweep_runs.last_run_at < excluded.last_run_at
    returning last_run_at as sign`.execute(db);
  const [back] = rows;
  if (!back) return;
  await tellEveryClient(db, {
    key: `intake-back:${back.sign.toISOString()}`,
    eventType: 'intake_back',
    severity: 'info',
    instanceId: null,
    message: `Heartbeats are stored again, for the first time since ${back.sign.toISOString()}.`,
    details: { since: back.sign.toISOString() },
  });
}
