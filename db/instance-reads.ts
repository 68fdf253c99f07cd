/** An agent's machines as people see them: the book of instances beside each one's lease. */
import type { InstanceView } from '../contracts/http';
import type { Db } from './connect';

/** Newest first. */
export async function listInstances(transaction: Db, agentId: string): Promise<InstanceView[]> {
  const rows = await transaction
    .selectFrom('instances')
    .leftJoin('instance_standing as standing', (join) =>
      join
        .onRef('standing.agent_id', '=', 'instances.agent_id')
        .onRef('standing.instance_id', '=', 'instances.id'),
    )
    .leftJoin('leases', (join) =>
      join
        .onRef('leases.agent_id', '=', 'instances.agent_id')
        .onRef('leases.instance_id', '=', 'instances.id'),
    )
    .selectAll('instances')
    .select([
      'standing.role',
      'leases.state as lease_state',
      'leases.health as lease_health',
      'leases.heartbeats',
      'leases.last_heartbeat_at',
      'leases.lease_until',
    ])
    .where('instances.agent_id', '=', agentId)
    .orderBy('instances.created_at', 'desc')
    .orderBy('instances.id')
    .limit(200)
    .execute();
  return rows.map((row) => ({
    instance_id: row.id,
    instance_type: row.instance_type,
    az: row.az,
    region: row.region,
    account_id: row.account_id,
    mode: row.mode,
    ami_id: row.ami_id,
    hostname: row.hostname,
    private_ip: row.private_ip,
    public_ip: row.public_ip,
    agent_version: row.agent_version,
    instance_status: row.instance_status,
    role: row.role,
    incarnation: row.incarnation,
    launch_id: row.launch_id,
    registered_at: iso(row.registered_at),
    zombie_since: iso(row.zombie_since),
    termination_attempted_at: iso(row.termination_attempted_at),
    termination_confirmed: row.termination_confirmed,
    terminated_at: iso(row.terminated_at),
    lease:
      row.lease_state && row.lease_health && row.last_heartbeat_at && row.lease_until
        ? {
            state: row.lease_state,
            health: row.lease_health,
            heartbeats: Number(row.heartbeats),
            last_heartbeat: row.last_heartbeat_at.toISOString(),
            lease_until: row.lease_until.toISOString(),
          }
        : null,
  }));
}

function iso(time: Date | null): string | null {
  return time?.toISOString() ?? null;
}
