/** How many events of each type have come since the last look. Under the role spotkeeper_metrics. */
import { sql } from 'kysely';
import type { Db } from './connect';

export interface EventCount {
  eventType: string;
  severity: string;
  /** Of hibernations: the way, and what it was for. */
  method: string | null;
  cause: string | null;
  /** Of hibernations that came to nothing. */
  outcome: string | null;
  events: number;
}

/**
 * Ids are given before the commit, so a late one may appear below others. Events are counted when they are this old; a
 * transaction that takes longer to write one is not counted, which a figure can bear.
 */
const SETTLED_SECONDS = 5;

/** The id from which counting starts: of what is settled now. */
export async function newestEvent(db: Db): Promise<string> {
  const { rows } = await sql<{ id: string }>`
    select coalesce((select id from system_events
      where created_at <= now() - make_interval(secs => ${SETTLED_SECONDS}) order by id desc limit 1), 0)::text as id`.execute(
    db,
  );
  return rows[0]?.id ?? '0';
}

/** @returns the counts of what came after `after`, and the id from which to go on. */
export async function countEvents(db: Db, after: string): Promise<{ counts: EventCount[]; newest: string }> {
  const { rows } = await sql<EventCount & { newest: string }>`
    select event_type as "eventType", severity, details ->> 'method' as method,
      details ->> 'cause' as cause, details ->> 'outcome' as outcome, count(*)::int as events, max(id)::text as newest
    from (
      select id, event_type, severity, created_at, case when event_type ~ 'hibernat' then details else '{}' end as details
      from system_events where id > ${after}::bigint
    ) event
    where created_at <= now() - make_interval(secs => ${SETTLED_SECONDS})
    group by 1, 2, 3, 4, 5`.execute(db);
  const newest = rows.reduce((most, row) => (BigInt(row.newest) > BigInt(most) ? row.newest : most), after);
  return { counts: rows, newest };
}
