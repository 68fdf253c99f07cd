/**
 * The books of replicas, and how their sync fares.
 *
 * A replica is _in sync_ while its agent says `synced`, at 100 %, of the newest incarnation, and said so within
 * SYNC_FRESH_SECONDS. The workflow hears when that becomes so or ceases to be, never of each report.
 */
import { type Selectable, sql } from 'kysely';
import { replicaWorkflowId } from '../contracts/ids';
import { signalNames } from '../contracts/messages';
import {
  type ReplicaChange,
  type ReplicaMode,
  SYNC_FRESH_SECONDS,
  type SyncStatusNews,
} from '../contracts/replicas';
import type { ReplicaStatus } from '../contracts/states';
import type { Db } from './connect';
import { addToOutbox } from './outbox';
import type { ReplicaInstancesTable } from './schema';

/** In these no report of the workflow leads back. */
const ENDED: readonly ReplicaStatus[] = ['promoted', 'terminating', 'terminated', 'failed'];

/** What a workflow makes known of a replica; one that has ended stays so. */
export async function writeReplica(
  db: Db,
  clientId: string,
  agentId: string,
  change: ReplicaChange,
): Promise<void> {
  const { status, pool } = change;
  const row = {
    instance_status: status,
    instance_id: change.instanceId,
    launch_id: change.launchId,
    instance_type: pool?.instanceType ?? null,
    az: pool?.zone ?? null,
    mode: pool?.option ?? null,
    message: change.message,
  };
  await db
    .insertInto('replica_instances')
    .values({
      id: change.replicaId,
      client_id: clientId,
      agent_id: agentId,
      replica_type: change.replicaType,
      ...row,
    })
    .onConflict((conflict) =>
      conflict
        .column('id')
        .doUpdateSet({
          ...row,
          instance_id: sql`coalesce(excluded.instance_id, replica_instances.instance_id)`,
          launch_id: sql`coalesce(excluded.launch_id, replica_instances.launch_id)`,
          instance_type: sql`coalesce(excluded.instance_type, replica_instances.instance_type)`,
          az: sql`coalesce(excluded.az, replica_instances.az)`,
          mode: sql`coalesce(excluded.mode, replica_instances.mode)`,
          ready_at:
            status === 'ready'
              ? sql`coalesce(replica_instances.ready_at, now())`
              : sql`replica_instances.ready_at`,
          promoted_at:
            status === 'promoted'
              ? sql`coalesce(replica_instances.promoted_at, now())`
              : sql`replica_instances.promoted_at`,
          updated_at: sql`now()`,
        })
        .where(
          'replica_instances.instance_status',
          'not in',
          ENDED.filter((one) => one !== 'terminating'),
        ),
    )
    .execute();
}

export interface SyncReport {
  clientId: string;
  agentId: string;
  replicaId: string;
  /** Null where the sender named none: a client's token may report for its replica. */
  instanceId: string | null;
  /** As the source says it: `syncing`, `synced`, `failed`, … */
  status: string;
  latencyMs: number | null;
  progressPercent: number | null;
  /** The incarnation whose state was copied; null where the sender doesn't say. */
  incarnation: number | null;
}

export interface SyncAnswer {
  status: ReplicaStatus;
  /** Set when the workflow has to hear. */
  news: boolean;
}

/**
 * Stores a report and, in the same transaction, the news that it makes.
 * @param transaction in the client's scope. @returns null when the agent has no such replica on that instance.
 */
export async function reportSync(transaction: Db, report: SyncReport): Promise<SyncAnswer | null> {
  const { clientId, agentId, replicaId, instanceId, status, latencyMs, progressPercent } = report;
  const row = await transaction
    .selectFrom('replica_instances as replica')
    .innerJoin('agents', 'agents.id', 'replica.agent_id')
    .select(['instance_status', 'instance_id', 'sync_ready', 'sync_revision', 'agents.incarnation'])
    .where('replica.id', '=', replicaId)
    .where('replica.agent_id', '=', agentId)
    .forUpdate('replica')
    .executeTakeFirst();
  if (!row || isAnother(row.instance_id, instanceId)) return null;
  if (ENDED.includes(row.instance_status)) return { status: row.instance_status, news: false };
  const current = report.incarnation === null || report.incarnation >= row.incarnation;
  const ready = status === 'synced' && (progressPercent ?? 0) >= 100 && current;
  const news = ready !== row.sync_ready;
  const revision = Number(row.sync_revision) + (news ? 1 : 0);
  await transaction
    .updateTable('replica_instances')
    .set({
      sync_status: status,
      sync_latency_ms: latencyMs === null ? null : Math.round(latencyMs),
      state_transfer_progress: progressPercent === null ? null : String(progressPercent),
      last_sync_at: sql`now()`,
      synced_with: report.incarnation ?? row.incarnation,
      sync_ready: ready,
      sync_revision: revision,
      updated_at: sql`now()`,
    })
    .where('id', '=', replicaId)
    .execute();
  if (news) {
    const message = ready
      ? `it is in sync${latencyMs === null ? '' : `, ${Math.round(latencyMs)} ms behind`}`
      : `its agent says ${status} at ${progressPercent ?? 'an unknown'} %${current ? '' : ', of an earlier incarnation'}`;
    await tell(transaction, clientId, replicaId, {
      instanceId: instanceId ?? row.instance_id ?? '',
      revision,
      ready,
      message,
    });
  }
  return { status: row.instance_status, news };
}

async function tell(db: Db, clientId: string, replicaId: string, news: SyncStatusNews): Promise<void> {
  const workflowId = replicaWorkflowId(replicaId);
  await addToOutbox(db, [{ clientId, workflowId, signal: signalNames.syncStatus, payload: { ...news } }]);
}

/** Replicas whose reports have stopped are not in sync any more. @returns how many. */
export async function sweepSync(db: Db): Promise<number> {
  const stale = await sql<{ id: string }>`
    with stale as (
      update replica_instances set sync_ready = false, sync_revision = sync_revision + 1, updated_at = now()
      where sync_ready and last_sync_at < now() - make_interval(secs => ${SYNC_FRESH_SECONDS})
        and instance_status not in ('promoted', 'terminating', 'terminated', 'failed')
      returning id, client_id, instance_id, sync_revision, last_sync_at
    ), told as (
      insert into outbox (client_id, workflow_id, signal, payload)
      select client_id, 'replica:' || id, ${signalNames.syncStatus}, jsonb_build_object('instanceId', coalesce(instance_id, ''),
        'revision', sync_revision, 'ready', false, 'message', 'it has not reported its sync since '
          || to_char(last_sync_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
      from stale
    )
    select id from stale`.execute(db);
  return stale.rows.length;
}

/**
 * Whether a replica may take over at this moment. Locks its row, in the transaction of the cut-over.
 * @returns null, or why not.
 */
export async function refusesPromotion(transaction: Db, replicaId: string): Promise<string | null> {
  const row = await transaction
    .selectFrom('replica_instances')
    .select(['instance_status', 'sync_ready', 'sync_status', 'state_transfer_progress'])
    .select(sql<boolean>`last_sync_at >= now() - make_interval(secs => ${SYNC_FRESH_SECONDS})`.as('fresh'))
    .where('id', '=', replicaId)
    .forUpdate()
    .executeTakeFirst();
  if (!row) return `replica ${replicaId} is not in the books`;
  if (ENDED.includes(row.instance_status)) return `it is ${row.instance_status}`;
  if (!row.sync_ready)
    return `it is ${row.sync_status ?? 'not in sync'} at ${row.state_transfer_progress ?? '0'} %`;
  return row.fresh ? null : `its last report is older than ${SYNC_FRESH_SECONDS} s`;
}

/** In the transaction of the cut-over, so that it hears at once. */
export async function markPromoted(transaction: Db, replicaId: string): Promise<void> {
  await transaction
    .updateTable('replica_instances')
    .set({
      instance_status: 'promoted',
      promoted_at: sql`coalesce(promoted_at, now())`,
      updated_at: sql`now()`,
    })
    .where('id', '=', replicaId)
    .execute();
}

/** Another machine is the primary: nobody is in sync with it yet. The workflow knows by itself. */
export async function resetSync(transaction: Db, agentId: string): Promise<void> {
  await transaction
    .updateTable('replica_instances')
    .set({ sync_ready: false, sync_revision: sql`sync_revision + 1`, updated_at: sql`now()` })
    .where('agent_id', '=', agentId)
    .where('sync_ready', '=', true)
    .where('instance_status', 'not in', ENDED)
    .execute();
}

/** Of an agent, the newest first. @param status only these. */
export function listReplicas(
  transaction: Db,
  agentId: string,
  status: ReplicaStatus | null,
): Promise<Selectable<ReplicaInstancesTable>[]> {
  return transaction
    .selectFrom('replica_instances')
    .selectAll()
    .where('agent_id', '=', agentId)
    .$if(status !== null, (query) => query.where('instance_status', '=', status as ReplicaStatus))
    .orderBy('created_at', 'desc')
    .limit(100)
    .execute();
}

/** Only on EC2's own word. */
export async function confirmReplicaTerminated(db: Db, clientId: string, instanceId: string): Promise<void> {
  await db
    .updateTable('replica_instances')
    .set({
      instance_status: sql`case when instance_status in ('promoted', 'failed') then instance_status else 'terminated' end`,
      termination_confirmed: true,
      terminated_at: sql`coalesce(terminated_at, now())`,
      updated_at: sql`now()`,
    })
    .where('client_id', '=', clientId)
    .where('instance_id', '=', instanceId)
    .execute();
}

/** What became of a replica; null for one that the agent doesn't have, or not on that instance. */
export async function readReplicaStatus(
  transaction: Db,
  { agentId, replicaId, instanceId }: Pick<SyncReport, 'agentId' | 'replicaId' | 'instanceId'>,
): Promise<ReplicaStatus | null> {
  const row = await transaction
    .selectFrom('replica_instances')
    .select(['instance_status', 'instance_id'])
    .where('id', '=', replicaId)
    .where('agent_id', '=', agentId)
    .executeTakeFirst();
  if (!row || isAnother(row.instance_id, instanceId)) return null;
  return row.instance_status;
}

function isAnother(known: string | null, named: string | null): boolean {
  return known !== null && named !== null && known !== named;
}

export interface ReplicaStanding {
  mode: ReplicaMode;
  incarnation: number;
  primary: { instanceId: string; privateIp: string | null } | null;
}

/** What a replica's agent is told of the agent that it stands in for; null for one that isn't in the books. */
export async function readReplicaStanding(transaction: Db, agentId: string): Promise<ReplicaStanding | null> {
  const row = await transaction
    .selectFrom('agents')
    .leftJoin('instances', (join) =>
      join
        .onRef('instances.client_id', '=', 'agents.client_id')
        .onRef('instances.id', '=', 'agents.primary_instance_id'),
    )
    .select(['replica_mode', 'agents.incarnation', 'primary_instance_id', 'private_ip'])
    .where('agents.id', '=', agentId)
    .executeTakeFirst();
  if (!row) return null;
  const { replica_mode: mode, incarnation, primary_instance_id: instanceId, private_ip: privateIp } = row;
  return { mode, incarnation, primary: instanceId === null ? null : { instanceId, privateIp } };
}
