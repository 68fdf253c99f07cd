/** Which agent a logical id stands for. After a deletion the same logical id means a new agent: the next generation. */
import { randomUUID } from 'node:crypto';
import type { AgentStatus } from '../contracts/states';
import type { Db } from './connect';

/**
 * The agent of a client's logical id, made if there is none that lives. Two callers at once get the same one.
 * @param transaction in the client's scope.
 */
export async function resolveAgentId(
  transaction: Db,
  clientId: string,
  logicalAgentId: string,
): Promise<string> {
  for (;;) {
    const newest = await newestGeneration(transaction, clientId, logicalAgentId);
    if (newest && newest.status !== 'deleted') return newest.agent_id;
    await transaction
      .insertInto('agent_identities')
      .values({
        agent_id: randomUUID(),
        client_id: clientId,
        logical_agent_id: logicalAgentId,
        generation: (newest?.generation ?? 0) + 1,
      })
      // Another registration made the same generation first: the next look finds its agent.
      .onConflict((conflict) => conflict.columns(['client_id', 'logical_agent_id', 'generation']).doNothing())
      .execute();
  }
}

function newestGeneration(transaction: Db, clientId: string, logicalAgentId: string) {
  return transaction
    .selectFrom('agent_identities as identity')
    .leftJoin('agents', 'agents.id', 'identity.agent_id')
    .select(['identity.agent_id', 'identity.generation', 'agents.status'])
    .where('identity.client_id', '=', clientId)
    .where('identity.logical_agent_id', '=', logicalAgentId)
    .orderBy('identity.generation', 'desc')
    .limit(1)
    .executeTakeFirst();
}

/** The agent that a logical id stands for, or stood for last; null when it never stood for any. */
export async function newestAgentOf(
  transaction: Db,
  clientId: string,
  logicalAgentId: string,
): Promise<{ agentId: string; status: AgentStatus | null } | null> {
  const newest = await newestGeneration(transaction, clientId, logicalAgentId);
  return newest ? { agentId: newest.agent_id, status: newest.status } : null;
}

/** Whether the agent was deleted, if the transaction's scope shows it; null for one that isn't there. */
export async function isDeleted(transaction: Db, agentId: string): Promise<boolean | null> {
  const row = await transaction
    .selectFrom('agent_identities as identity')
    .leftJoin('agents', 'agents.id', 'identity.agent_id')
    .select('agents.deleted_at')
    .where('identity.agent_id', '=', agentId)
    .executeTakeFirst();
  return row ? row.deleted_at !== null : null;
}

/** Whose an agent is, if the transaction's scope shows it. */
export async function ownerOfAgent(transaction: Db, agentId: string): Promise<string | null> {
  const row = await transaction
    .selectFrom('agent_identities')
    .select('client_id')
    .where('agent_id', '=', agentId)
    .executeTakeFirst();
  return row?.client_id ?? null;
}

export interface LaunchRecord {
  launchId: string;
  clientId: string;
  agentId: string;
  logicalAgentId: string;
  /** The switch or the replica that it is for. */
  switchNumber: number | null;
  replicaId: string | null;
  accountId: string;
  region: string;
  /** The instance that came of it, once EC2 has said so. */
  instanceId: string | null;
}

/** @param transaction in the launch's own scope: its id is the credential. */
export async function findLaunch(transaction: Db, launchId: string): Promise<LaunchRecord | null> {
  const row = await transaction
    .selectFrom('launch_intents')
    .selectAll()
    .where('launch_id', '=', launchId)
    .executeTakeFirst();
  if (!row) return null;
  return {
    launchId: row.launch_id,
    clientId: row.client_id,
    agentId: row.agent_id,
    logicalAgentId: row.logical_agent_id,
    switchNumber: row.switch_number,
    replicaId: row.replica_id,
    accountId: row.account_id,
    region: row.region,
    instanceId: row.instance_id,
  };
}
