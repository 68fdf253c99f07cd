/** Launch intents: written before every launch, so that no instance of ours comes from nowhere. */
import { sql } from 'kysely';
import type { LaunchRequest } from '../contracts/activities';
import type { Db } from './connect';

/** What a launch sends; a repeat has to send the same, or EC2 refuses its token. */
export interface StoredLaunch {
  clientToken: string;
  imageId: string;
  userData: string;
  /** The intent stood already: an earlier attempt may have launched. */
  repeated: boolean;
}

/** Writes the intent and returns what stands: of a repeat the first, whatever its worker was told since. */
export async function writeLaunchIntent(
  db: Db,
  request: LaunchRequest,
  launch: Pick<StoredLaunch, 'clientToken' | 'userData'>,
): Promise<StoredLaunch> {
  const inserted = await db
    .insertInto('launch_intents')
    .values({
      launch_id: request.launchId,
      client_id: request.clientId,
      agent_id: request.agentId,
      logical_agent_id: request.logicalAgentId,
      switch_number: request.switchNumber,
      replica_id: request.replicaId ?? null,
      attempt: request.attempt,
      account_id: request.accountId,
      region: request.region,
      instance_type: request.pool.instanceType,
      az: request.pool.zone,
      mode: request.pool.option,
      image_id: request.imageId,
      client_token: launch.clientToken,
      user_data: launch.userData,
    })
    .onConflict((conflict) => conflict.column('launch_id').doNothing())
    .executeTakeFirst();
  const stored = await db
    .selectFrom('launch_intents')
    .select(['client_token', 'image_id', 'user_data'])
    .where('launch_id', '=', request.launchId)
    .executeTakeFirstOrThrow();
  return {
    clientToken: stored.client_token,
    imageId: stored.image_id,
    userData: stored.user_data,
    repeated: inserted.numInsertedOrUpdatedRows === 0n,
  };
}

/** Once launched it stays so: an attempt that was thought dead may report late. */
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
    .where('outcome', '!=', 'launched')
    .execute();
}

/** Whether nobody knows yet what came of a launch. */
export async function launchIsOpen(db: Db, launchId: string): Promise<boolean> {
  const row = await db
    .selectFrom('launch_intents')
    .select('outcome')
    .where('launch_id', '=', launchId)
    .executeTakeFirst();
  return row?.outcome === 'pending';
}
