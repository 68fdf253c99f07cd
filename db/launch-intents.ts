/** Launch intents: written before every launch, so that no instance of ours comes from nowhere. */
import { sql } from 'kysely';
import type { LaunchRequest } from '../contracts/activities';
import type { Db } from './connect';

/** Writes the intent; a repeat leaves the first as it is. */
export async function writeLaunchIntent(db: Db, request: LaunchRequest, clientToken: string): Promise<void> {
  await db
    .insertInto('launch_intents')
    .values({
      launch_id: request.launchId,
      client_id: request.clientId,
      agent_id: request.agentId,
      logical_agent_id: request.logicalAgentId,
      switch_number: request.switchNumber,
      attempt: request.attempt,
      account_id: request.accountId,
      region: request.region,
      instance_type: request.pool.instanceType,
      az: request.pool.zone,
      mode: request.pool.option,
      image_id: request.imageId,
      client_token: clientToken,
    })
    .onConflict((conflict) => conflict.column('launch_id').doNothing())
    .execute();
}

export async function settleLaunchIntent(
  db: Db,
  launchId: string,
  settled: { outcome: 'launched'; instanceId: string } | { outcome: 'no_capacity' | 'failed'; error: string },
): Promise<void> {
  await db
    .updateTable('launch_intents')
    .set({
      outcome: settled.outcome,
      instance_id: settled.outcome === 'launched' ? settled.instanceId : null,
      error: settled.outcome === 'launched' ? null : settled.error,
      updated_at: sql`now()`,
    })
    .where('launch_id', '=', launchId)
    .execute();
}
