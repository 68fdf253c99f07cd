/** The bench's agents: as many in the books as asked for, each with a token and a lease as after its first heartbeat. */
import { createHash } from 'node:crypto';
import { Client } from 'pg';

/** The numbered agent's id, instance and token; each process that needs them makes them anew. */
export function agentNumber(number: number): { agentId: string; instanceId: string; token: string } {
  const digest = createHash('sha256').update(`bench ${number}`).digest();
  const hex = digest.toString('hex');
  const uuid = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)];
  return {
    agentId: uuid.join('-'),
    instanceId: `i-${hex.slice(32, 49)}`,
    token: `ski_${digest.toString('base64url')}`,
  };
}

const AT_ONCE = 5_000;
/** Nobody falls silent meanwhile: most of those in the books send nothing. */
const INTERVAL_SECONDS = 3_600;

/** Adds agents 0 to `count` - 1 to a client, past the API: their workflows are not started. */
export async function addFleet(
  databaseUrl: string,
  clientId: string,
  count: number,
  signal: AbortSignal,
): Promise<void> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    for (let first = 0; first < count; first += AT_ONCE) {
      signal.throwIfAborted();
      const agents = Array.from({ length: Math.min(AT_ONCE, count - first) }, (_, at) =>
        agentNumber(first + at),
      );
      const ids = agents.map((one) => one.agentId);
      const instances = agents.map((one) => one.instanceId);
      const hashes = agents.map((one) => createHash('sha256').update(one.token).digest());
      const fleet = `from unnest($2::text[], $3::text[]) as fleet (agent_id, instance_id)`;
      await client.query('begin');
      await client.query(
        `insert into agent_identities (agent_id, client_id, logical_agent_id)
         select agent_id, $1, 'bench-' || agent_id from unnest($2::text[]) as fleet (agent_id)`,
        [clientId, ids],
      );
      await client.query(
        `insert into agents (id, client_id, logical_agent_id, status, health, incarnation, primary_instance_id,
           instance_type, mode, az, region, account_id, terminate_wait_seconds, revision)
         select agent_id, $1, 'bench-' || agent_id, 'online', 'healthy', 1, instance_id, 'p3.2xlarge', 'spot',
           'us-east-1a', 'us-east-1', '000000000000', 300, 1 ${fleet}`,
        [clientId, ids, instances],
      );
      await client.query(
        `insert into instances (client_id, id, agent_id, instance_type, az, region, account_id, mode, instance_status,
           incarnation, registered_at)
         select $1, instance_id, agent_id, 'p3.2xlarge', 'us-east-1a', 'us-east-1', '000000000000', 'spot', 'primary',
           1, now() ${fleet}`,
        [clientId, ids, instances],
      );
      await client.query(
        `insert into instance_standing (agent_id, instance_id, client_id, role, incarnation, current_incarnation,
           heartbeat_interval_seconds, idle_threshold_percent, idle_warning_seconds, revision)
         select agent_id, instance_id, $1, 'primary', 1, 1, $4, 5, 180, 1 ${fleet}`,
        [clientId, ids, instances, INTERVAL_SECONDS],
      );
      await client.query(
        `insert into leases (agent_id, instance_id, client_id, revision, state, health, mode, az, heartbeats,
           first_heartbeat_at, last_heartbeat_at, lease_until)
         select agent_id, instance_id, $1, 1, 'live', 'healthy', 'spot', 'us-east-1a', 1, now(), now(),
           now() + make_interval(secs => 3 * $4) ${fleet}`,
        [clientId, ids, instances, INTERVAL_SECONDS],
      );
      await client.query(
        `insert into tokens (token_hash, kind, client_id, agent_id, instance_id, incarnation)
         select token_hash, 'agent', $1, agent_id, instance_id, 1
         from unnest($2::text[], $3::text[], $4::bytea[]) as fleet (agent_id, instance_id, token_hash)`,
        [clientId, ids, instances, hashes],
      );
      await client.query('commit');
    }
    await client.query('vacuum analyze');
    await client.query('checkpoint');
  } finally {
    await client.end();
  }
}

export interface Stored {
  samples: number;
  /** Of the updates of leases, those that touched no index. */
  hotShare: number | null;
  bytesPerSample: number | null;
}

/** What the database has of the fleet's heartbeats. */
export async function readStored(databaseUrl: string): Promise<Stored> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<Stored>(
      `select (select count(*)::int from heartbeat_samples) as samples,
         (select n_tup_hot_upd::float8 / nullif(n_tup_upd, 0) from pg_stat_user_tables where relname = 'leases')
           as "hotShare",
         (select sum(pg_total_relation_size(inhrelid))::float8 from pg_inherits
           where inhparent = 'heartbeat_samples'::regclass)
           / nullif((select count(*) from heartbeat_samples), 0) as "bytesPerSample"`,
    );
    return rows[0] as Stored;
  } finally {
    await client.end();
  }
}
