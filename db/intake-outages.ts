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
  const since = await follow(db, AWAY, 'intake', TOLD_AFTER_SECONDS);
  if (since === null) return;
  await tellEveryClient(db, {
    key: `intake-away:${since}`,
    eventType: 'intake_away',
    severity: 'critical',
    instanceId: null,
    message: `No API has been able to store a heartbeat since ${since}. No agent is called silent for it and no machine is stopped for silence or idleness, and nobody hears of a notice of EC2 either.`,
    details: { since },
  });
}

/** An intake is there. Its return is told if its absence was. */
export async function noteIntakeBack(db: Db): Promise<void> {
  const since = await follow(db, BACK, AWAY, 0);
  if (since === null) return;
  await tellEveryClient(db, {
    key: `intake-back:${since}`,
    eventType: 'intake_back',
    severity: 'info',
    instanceId: null,
    message: `Heartbeats are stored again, for the first time since ${since}.`,
    details: { since },
  });
}

/**
 * Sets one row of `sweep_runs` to what another says, if that is so long ago.
 * @returns the time, or null when it says that already.
 */
async function follow(db: Db, name: string, other: string, secondsAgo: number): Promise<string | null> {
  const { rows } = await sql<{ since: Date }>`
    insert into sweep_runs (name, last_run_at)
    select ${name}, last_run_at from sweep_runs
    where name = ${other} and last_run_at < now() - make_interval(secs => ${secondsAgo})
    on conflict (name) do update set last_run_at = excluded.last_run_at
      where sweep_runs.last_run_at < excluded.last_run_at
    returning last_run_at as since`.execute(db);
  return rows[0]?.since.toISOString() ?? null;
}
