/**
 * What makes the outbox smaller but a delivery. An outage of Temporal's may take days, with heartbeats that come and
 * stay away all the while.
 *
 * A heartbeat that is told carries the full state of its lease, so of what is said of one instance's liveness without
 * anything else between, only the latest heartbeat and what follows it (it is lost, or says goodbye) still says
 * something. That leaves at most three rows an instance, between two signals of other kinds. What a workflow becomes is
 * the same with and without the others; what they would have added to its history is in the samples.
 */
import { sql } from 'kysely';
import type { Db } from './connect';

/** In normal times each is delivered within moments, and is in the history. */
const WAITING_SECONDS = 60;

/** How long people can see what could not be delivered. */
export const UNDELIVERABLE_DAYS = 7;

/** @returns how many rows said nothing any more. */
export async function compactOutbox(db: Db, waitingSeconds = WAITING_SECONDS): Promise<number> {
  const removed = await sql`
    with waiting as (
      select id, workflow_id, signal, created_at, payload ->> 'instanceId' as instance_id,
        signal in ('heartbeat', 'heartbeatLost', 'goneOffline') and payload ->> 'instanceId' is not null as liveness
      from outbox where not undeliverable
    ), stretches as (
      select *, count(*) filter (where not liveness) over (partition by workflow_id order by id) as stretch from waiting
    ), last_words as (
      select id, created_at, max(id) filter (where signal = 'heartbeat')
        over (partition by workflow_id, stretch, instance_id) as last_word
      from stretches where liveness
    )
    delete from outbox where id in (
      select id from outbox
      where id in (select id from last_words
        where id < last_word and created_at < now() - make_interval(secs => ${waitingSeconds}))
      for update skip locked)`.execute(db);
  return Number(removed.numAffectedRows ?? 0);
}

/** @returns how many were removed for having been there for so long. */
export async function removeUndeliverable(db: Db): Promise<number> {
  const removed = await sql`
    delete from outbox where undeliverable and created_at < now() - make_interval(days => ${UNDELIVERABLE_DAYS})`.execute(
    db,
  );
  return Number(removed.numAffectedRows ?? 0);
}
