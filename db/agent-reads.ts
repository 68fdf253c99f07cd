/** Agents as people see them: the workflow's published facts beside the newest heartbeat. */
import type { ReplicaMode } from '../contracts/replicas';
import { type RawBuilder, type SqlBool, sql } from 'kysely';
import { agentWorkflowId } from '../contracts/ids';
import type { AgentSummary } from '../contracts/http';
import type { HibernationView } from '../contracts/messages';
import type { AgentFilter, HibernationReading } from '../contracts/reads';
import type { Db } from './connect';

/** All but what only the process knows that shows them. */
export type AgentRow = Omit<AgentSummary, 'workflow_url'>;

/**
 * A client's living agents by id, from after `after`, at most `limit`.
 * @param transaction in the client's scope.
 */
export async function listAgents(
  transaction: Db,
  clientId: string,
  filter: AgentFilter,
  page: { after: string | null; limit: number },
): Promise<AgentRow[]> {
  // Which ones first, from indexes alone: joined in the same statement, leases would be read from the first on.
  const found = await livingAgents(transaction, clientId, filter)
    .select('agents.id')
    .where('agents.id', '>', page.after ?? '')
    .orderBy('agents.id')
    .limit(page.limit)
    .execute();
  if (found.length === 0) return [];
  const rows = await agentQuery(transaction)
    .where('agents.id', '=', sql<string>`any(${found.map((row) => row.id)})`)
    .orderBy('agents.id')
    .execute();
  return rows.map(toRow);
}

/** A client's agents that are not deleted and that pass the filter. */
export function livingAgents(transaction: Db, clientId: string, filter: AgentFilter) {
  const { status, health, mode, az, region, search } = filter;
  let query = transaction
    .selectFrom('agents')
    .where('agents.client_id', '=', clientId)
    // As literal text, by which the planner knows the partial indexes.
    .where('agents.status', '<>', sql.lit('deleted'));
  if (status) query = query.where('agents.status', '=', status);
  if (health) query = query.where('agents.health', '=', health);
  if (mode) query = query.where('agents.mode', '=', mode);
  if (az) query = query.where('agents.az', '=', az);
  if (region) query = query.where('agents.region', '=', region);
  if (search) query = query.where(searched(search));
  return query;
}

/** Whether a part of a name or id is found in what can be searched of an agent. */
export function searched(part: string): RawBuilder<SqlBool> {
  return sql<SqlBool>`strpos(agents.search_text, lower(${part})) > 0`;
}

/** One agent, deleted or not. */
export async function findAgent(transaction: Db, agentId: string): Promise<AgentDetailRow | null> {
  const row = await agentQuery(transaction).where('agents.id', '=', agentId).executeTakeFirst();
  if (!row) return null;
  return {
    ...toRow(row),
    no_primary_reason: row.no_primary_reason,
    replica_mode: row.replica_mode,
    auto_switch_enabled: row.auto_switch_enabled,
    auto_terminate_enabled: row.auto_terminate_enabled,
    terminate_wait_seconds: row.terminate_wait_seconds,
    created_at: row.created_at.toISOString(),
  };
}

export interface AgentDetailRow extends AgentRow {
  no_primary_reason: string | null;
  replica_mode: ReplicaMode;
  auto_switch_enabled: boolean;
  auto_terminate_enabled: boolean;
  terminate_wait_seconds: number;
  created_at: string;
}

function agentQuery(transaction: Db) {
  return (
    transaction
      .selectFrom('agents')
      // Looked up by its key, whatever the planner thinks of reading all leases.
      .leftJoinLateral(
        (eb) =>
          eb
            .selectFrom('leases')
            .select(['last_heartbeat_at', 'state', 'gpu_utilization_percent'])
            .whereRef('leases.agent_id', '=', 'agents.id')
            .whereRef('leases.instance_id', '=', 'agents.primary_instance_id')
            .where('leases.heartbeats', '>', '0')
            .limit(1)
            .as('leases'),
        (join) => join.onTrue(),
      )
      .leftJoinLateral(
        (eb) =>
          eb
            .selectFrom('instance_standing')
            .select(['hibernation_due_at', 'hibernation_reason'])
            .whereRef('instance_standing.agent_id', '=', 'agents.id')
            .whereRef('instance_standing.instance_id', '=', 'agents.primary_instance_id')
            .limit(1)
            .as('standing'),
        (join) => join.onTrue(),
      )
      .selectAll('agents')
      .select([
        'leases.last_heartbeat_at',
        'leases.state as lease_state',
        'leases.gpu_utilization_percent',
        'standing.hibernation_reason',
        sql<number | null>`extract(epoch from standing.hibernation_due_at - now())::float8`.as(
          'warning_seconds',
        ),
        sql<number | null>`extract(epoch from now() - leases.last_heartbeat_at)::float8`.as('silence'),
      ])
  );
}

type QueriedAgent = Awaited<ReturnType<ReturnType<typeof agentQuery>['execute']>>[number];

function toRow(row: QueriedAgent): AgentRow {
  return {
    agent_id: row.id,
    logical_agent_id: row.logical_agent_id,
    status: row.status,
    health: row.health,
    incarnation: row.incarnation,
    instance_id: row.primary_instance_id,
    instance_type: row.instance_type,
    mode: row.mode,
    az: row.az,
    region: row.region,
    last_heartbeat: row.last_heartbeat_at?.toISOString() ?? null,
    seconds_since_heartbeat: row.silence === null ? null : Math.max(0, Math.round(row.silence)),
    gpu_utilization: row.lease_state === 'live' ? row.gpu_utilization_percent : null,
    protected: row.protected,
    idle_warning:
      row.warning_seconds === null
        ? null
        : {
            seconds_left: Math.max(0, Math.round(row.warning_seconds)),
            reason: row.hibernation_reason ?? '',
          },
    hibernation: row.hibernation && hibernationReading(row.hibernation as unknown as HibernationView),
    active_switch: row.active_switch,
    keep_alive_until: row.keep_alive_until?.toISOString() ?? null,
    workflow_id: agentWorkflowId(row.id),
  };
}

export function hibernationReading(hibernation: HibernationView): HibernationReading {
  const { phase, cause, method, imageId, since, message, workflowId } = hibernation;
  return { phase, cause, method, image_id: imageId, since, message, workflow_id: workflowId };
}
