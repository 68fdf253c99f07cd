/** The book of instances. A row's status never goes back, whoever writes late. */
import { sql } from 'kysely';
import type { InstanceChange } from '../contracts/activities';
import { INSTANCE_STATUSES } from '../contracts/states';
import type { Db } from './connect';
import { confirmReplicaTerminated } from './replicas';

/** The SQL array of statuses in the order of an instance's life. */
const LIFE = sql.raw(`array[${INSTANCE_STATUSES.map((status) => `'${status}'`).join(', ')}]`);

/** The machine of a deleted agent is another agent's now, which registered from it: its life begins anew. */
const TAKEN_OVER = sql`(excluded.instance_status = 'primary' and excluded.agent_id <> instances.agent_id
  and instances.instance_status <> 'terminated'
  and exists (select from agents where agents.id = instances.agent_id and agents.status = 'deleted'))`;

export async function writeInstance(
  db: Db,
  clientId: string,
  agentId: string,
  change: InstanceChange,
): Promise<void> {
  const { facts } = change;
  await db
    .insertInto('instances')
    .values({
      client_id: clientId,
      id: facts.instanceId,
      agent_id: agentId,
      instance_type: facts.instanceType,
      az: facts.zone,
      region: facts.region,
      account_id: facts.accountId,
      mode: facts.mode,
      ami_id: facts.imageId,
      hostname: facts.hostname,
      private_ip: facts.privateIp,
      public_ip: facts.publicIp,
      agent_version: facts.agentVersion,
      instance_status: change.status,
      incarnation: change.incarnation,
      launch_id: change.launchId,
      registered_at: change.registeredAt,
      zombie_since: change.zombieSince,
    })
    .onConflict((conflict) =>
      conflict.columns(['client_id', 'id']).doUpdateSet((eb) => ({
        agent_id: sql`case when ${TAKEN_OVER} then excluded.agent_id else instances.agent_id end`,
        kept: sql`instances.kept and not ${TAKEN_OVER}`,
        termination_attempted_at: sql`case when not ${TAKEN_OVER} then instances.termination_attempted_at end`,
        end_reserved_at: sql`case when not ${TAKEN_OVER} then instances.end_reserved_at end`,
        instance_type: eb.ref('excluded.instance_type'),
        az: eb.ref('excluded.az'),
        region: eb.ref('excluded.region'),
        mode: eb.ref('excluded.mode'),
        ami_id: sql`coalesce(excluded.ami_id, instances.ami_id)`,
        hostname: sql`coalesce(excluded.hostname, instances.hostname)`,
        private_ip: sql`coalesce(excluded.private_ip, instances.private_ip)`,
        public_ip: sql`coalesce(excluded.public_ip, instances.public_ip)`,
        agent_version: sql`coalesce(excluded.agent_version, instances.agent_version)`,
        instance_status: sql`case when ${TAKEN_OVER} then 'primary' when array_position(${LIFE}, excluded.instance_status)
          > array_position(${LIFE}, instances.instance_status)
          then excluded.instance_status else instances.instance_status end`,
        incarnation: sql`coalesce(excluded.incarnation, instances.incarnation)`,
        launch_id: sql`coalesce(instances.launch_id, excluded.launch_id)`,
        registered_at: sql`coalesce(instances.registered_at, excluded.registered_at)`,
        zombie_since: sql`case when not ${TAKEN_OVER} then coalesce(instances.zombie_since, excluded.zombie_since) end`,
        updated_at: sql`now()`,
      })),
    )
    .execute();
}

/** Notes an attempt to terminate, made or about to be. */
export async function markTerminationAttempt(db: Db, clientId: string, instanceId: string): Promise<void> {
  await db
    .updateTable('instances')
    .set({
      instance_status: sql`case when instance_status = 'terminated' then instance_status else 'terminating' end`,
      termination_attempted_at: sql`now()`,
      updated_at: sql`now()`,
    })
    .where('client_id', '=', clientId)
    .where('id', '=', instanceId)
    .execute();
}

/** Only on EC2's own word. */
export async function confirmTerminated(db: Db, clientId: string, instanceId: string): Promise<void> {
  await db
    .updateTable('instances')
    .set({
      instance_status: 'terminated',
      termination_confirmed: true,
      terminated_at: sql`coalesce(terminated_at, now())`,
      updated_at: sql`now()`,
    })
    .where('client_id', '=', clientId)
    .where('id', '=', instanceId)
    .execute();
  await confirmReplicaTerminated(db, clientId, instanceId);
}

/** The agent that the books call this instance the primary of, whichever agent and client that is; null for none. */
export async function agentOn(db: Db, instanceId: string): Promise<string | null> {
  const row = await db
    .selectFrom('agents')
    .select('id')
    .where('primary_instance_id', '=', instanceId)
    .where('status', '!=', 'deleted')
    .executeTakeFirst();
  return row?.id ?? null;
}

/**
 * DescribeInstances has shown the instance to us. The answer of a launch or of a termination doesn't count: EC2 is
 * consistent only in time, and a look can miss for seconds what another call has just named.
 */
export async function markSeen(db: Db, clientId: string, instanceId: string): Promise<void> {
  await db
    .updateTable('instances')
    .set({ seen_at: sql`now()` })
    .where('client_id', '=', clientId)
    .where('id', '=', instanceId)
    .where('seen_at', 'is', null)
    .execute();
}

/**
 * Whether EC2's NotFound means that the instance is gone: a look has shown it for a minute, or we know of it for an hour.
 * A first look proves nothing of the next ones: they may be answered elsewhere in EC2, where it isn't known yet.
 */
export async function notFoundMeansGone(db: Db, clientId: string, instanceId: string): Promise<boolean> {
  const row = await db
    .selectFrom('instances')
    .select(
      sql<boolean>`seen_at < now() - interval '1 minute' or created_at < now() - interval '1 hour'`.as(
        'gone',
      ),
    )
    .where('client_id', '=', clientId)
    .where('id', '=', instanceId)
    .executeTakeFirst();
  return row?.gone ?? false;
}

/** The agent and client of an instance that isn't terminated, in the scope of its id; null when the books have none. */
export async function holderOfInstance(db: Db, instanceId: string): Promise<{ clientId: string } | null> {
  const row = await db
    .selectFrom('instances')
    .select('client_id')
    .where('id', '=', instanceId)
    .where('instance_status', '!=', 'terminated')
    .executeTakeFirst();
  return row ? { clientId: row.client_id } : null;
}
