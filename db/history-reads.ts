/** What has been: a client's deleted agents, and what happened to one agent. */
import { sql } from 'kysely';
import { agentWorkflowId, switchWorkflowId } from '../contracts/ids';
import type { SystemEventView } from '../contracts/http';
import type { DeletedAgent, SwitchReading } from '../contracts/reads';
import { searched } from './agent-reads';
import type { Db } from './connect';
import { eventView } from './event-reads';

export type DeletedAgentRow = Omit<DeletedAgent, 'workflow_url'>;

/**
 * A client's deleted agents, the last deleted first.
 * @param page.after a cursor that this function gave, or null for the beginning.
 */
export async function listDeletedAgents(
  transaction: Db,
  clientId: string,
  search: string | undefined,
  page: { after: string | null; limit: number },
): Promise<{ agents: DeletedAgentRow[]; nextAfter: string | null }> {
  const [micros, id] = page.after?.split('.') ?? [];
  let query = transaction
    .selectFrom('agents')
    .selectAll()
    .select(sql<string>`(extract(epoch from deleted_at) * 1000000)::bigint || '.' || id`.as('cursor'))
    .where('client_id', '=', clientId)
    .where('status', '=', 'deleted')
    .orderBy('deleted_at', 'desc')
    .orderBy('id', 'desc')
    .limit(page.limit);
  if (micros !== undefined && id !== undefined) {
    query = query.where(
      sql<boolean>`(deleted_at, id) < (timestamptz 'epoch' + ${micros}::bigint * interval '1 microsecond', ${id})`,
    );
  }
  if (search) query = query.where(searched(search));
  const rows = await query.execute();
  return {
    agents: rows.map((row) => ({
      agent_id: row.id,
      logical_agent_id: row.logical_agent_id,
      status: 'deleted',
      incarnation: row.incarnation,
      instance_id: row.primary_instance_id,
      instance_type: row.instance_type,
      mode: row.mode,
      az: row.az,
      region: row.region,
      created_at: row.created_at.toISOString(),
      deleted_at: (row.deleted_at ?? row.updated_at).toISOString(),
      workflow_id: agentWorkflowId(row.id),
    })),
    nextAfter: rows.length < page.limit ? null : (rows.at(-1)?.cursor ?? null),
  };
}

/** An agent's events, newest first, from before the event `after`. */
export async function listAgentEvents(
  transaction: Db,
  agentId: string,
  page: { after: string | null; limit: number },
): Promise<SystemEventView[]> {
  let query = transaction
    .selectFrom('system_events')
    .selectAll()
    .where('agent_id', '=', agentId)
    .orderBy('id', 'desc')
    .limit(page.limit);
  if (page.after !== null) query = query.where('id', '<', page.after);
  return (await query.execute()).map(eventView);
}

/** The switches that came to a launch, newest first, each with the launches it tried. */
export async function listSwitches(transaction: Db, agentId: string): Promise<SwitchReading[]> {
  const rows = await transaction
    .selectFrom('launch_intents')
    .selectAll()
    .where('agent_id', '=', agentId)
    .where('switch_number', 'is not', null)
    .$narrowType<{ switch_number: number }>()
    .orderBy('switch_number', 'desc')
    .orderBy('attempt')
    .limit(500)
    .execute();
  const switches = new Map<number, SwitchReading>();
  for (const row of rows) {
    const one = switches.get(row.switch_number) ?? {
      switch_number: row.switch_number,
      switch_workflow_id: switchWorkflowId(agentId, row.switch_number),
      started_at: row.created_at.toISOString(),
      launches: [],
    };
    one.launches.push({
      attempt: row.attempt,
      instance_type: row.instance_type,
      az: row.az,
      mode: row.mode,
      outcome: row.outcome,
      instance_id: row.instance_id,
      error: row.error,
      created_at: row.created_at.toISOString(),
    });
    switches.set(row.switch_number, one);
  }
  return [...switches.values()];
}
