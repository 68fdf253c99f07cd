/** When a machine was stopped, and so cost nothing to run and owed no heartbeat. A repeat of either changes nothing. */
import { sql } from 'kysely';
import type { Db } from './connect';

/**
 * EC2 calls it stopped now.
 * @param askedAt when EC2 was asked for that, if we did.
 */
export async function noteStopped(
  db: Db,
  clientId: string,
  instanceId: string,
  askedAt: string | null = null,
): Promise<void> {
  await sql`
    insert into instance_stops (client_id, instance_id, stopped_at, asked_at)
    values (${clientId}, ${instanceId}, now(), least(${askedAt}::timestamptz, now()))
    on conflict (client_id, instance_id) where started_at is null do nothing`.execute(db);
}

/** It was asked to start, and EC2 took that; or it is heard, whoever started it. */
export async function noteStarted(db: Db, clientId: string, instanceId: string): Promise<void> {
  await db
    .updateTable('instance_stops')
    .set({ started_at: sql`now()` })
    .where('client_id', '=', clientId)
    .where('instance_id', '=', instanceId)
    .where('started_at', 'is', null)
    .execute();
}
