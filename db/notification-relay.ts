/**
 * Tells the workflows of audiences that events wait for them. Events stay in the queue until a workflow has gathered
 * them, and whoever isn't heard is told again: a word that is lost, or said twice, changes nothing.
 */
import { sql } from 'kysely';
import type { Db } from './connect';

/** Held by whoever relays, so that of many workers one does. */
const RELAY_LOCK = 7_351_003;

/** How soon an audience is told again while its events still wait. */
const REPEAT_SECONDS = 30;

/** A workflow closes its groups long before this: one that is still open has no workflow any more. */
const FORGOTTEN_HOURS = 3;

/** Audiences a round; the rest follow in the next. */
const BATCH = 100;

/**
 * One round.
 * @param announce resolves once the audience's workflow has been told; what it rejects with is told after the others.
 * @returns how many were told.
 */
export function announceWaitingEvents(
  db: Db,
  announce: (audience: string) => Promise<void>,
): Promise<number> {
  return db.transaction().execute(async (transaction) => {
    const lock = await sql<{
      held: boolean;
    }>`select pg_try_advisory_xact_lock(${RELAY_LOCK}) as held`.execute(transaction);
    if (!lock.rows[0]?.held) return 0;
    const { rows } = await sql<{ audience: string; newest: string }>`
      select waiting.audience, max(waiting.id) as newest
      from (
        select audience, id from notification_queue
        union all
        select distinct audience, 0 from notifications
        where closed_at is null and last_event_at < now() - make_interval(hours => ${FORGOTTEN_HOURS})
      ) waiting left join notification_audiences told on told.audience = waiting.audience
      group by waiting.audience
      having coalesce(max(told.announced_id), -1) < max(waiting.id)
        or max(told.announced_at) < now() - make_interval(secs => ${REPEAT_SECONDS})
      order by max(told.announced_at) nulls first limit ${BATCH}`.execute(transaction);
    const told = await Promise.allSettled(rows.map(({ audience }) => announce(audience)));
    const reached = rows.filter((_, at) => told[at]?.status === 'fulfilled');
    if (reached.length > 0) {
      await transaction
        .insertInto('notification_audiences')
        .values(
          reached.map(({ audience, newest }) => ({
            audience,
            announced_id: newest,
            announced_at: sql<Date>`now()`,
          })),
        )
        .onConflict((conflict) =>
          conflict.column('audience').doUpdateSet({
            announced_id: sql`greatest(notification_audiences.announced_id, excluded.announced_id)`,
            announced_at: sql`excluded.announced_at`,
          }),
        )
        .execute();
    }
    const failure = told.find((one) => one.status === 'rejected');
    if (failure && reached.length === 0) throw failure.reason;
    return reached.length;
  });
}
