/** A database full of agents that no workflow knows: what a large fleet looks like in the books. */
import type { Client } from 'pg';

export interface FleetShape {
  agents: number;
  clients: number;
  /** Of each hundred. The first so many of each hundred are orphaned, the next so many silent, the next so many idle. */
  orphaned: number;
  silent: number;
  idle: number;
  /** What each agent says that it has cost; null leaves it to the price book. */
  reportedCost: number | null;
  account?: string;
}

const ACCOUNT = '123456789012';

/** Agent `n` is `agent-n` on instance `i-n` of client `client-(n mod clients)`. Statistics are up to date. */
export async function fillFleet(sql: Client, shape: FleetShape): Promise<void> {
  const { agents, clients, orphaned, silent, idle, reportedCost, account = ACCOUNT } = shape;
  await sql.query(
    'insert into clients (id, name) select $1 || n, $1 || n from generate_series(0, $2 - 1) n',
    ['client-', clients],
  );
  const one = `(
    select n, 'client-' || n % ${clients} as client_id, 'agent-' || n as agent_id, 'i-' || n as instance_id,
      case when n % 100 < ${orphaned} then 'orphaned' when n % 100 < ${orphaned + silent} then 'silent'
        else 'online' end as status,
      n % 100 >= ${orphaned + silent} and n % 100 < ${orphaned + silent + idle} as idle,
      (array['us-east-1', 'us-west-2', 'eu-central-1'])[1 + n % 3] as region,
      (array['spot', 'ondemand'])[1 + n % 2] as mode
    from generate_series(0, ${agents - 1}) n) one`;
  await sql.query(`
    insert into agents (id, client_id, logical_agent_id, status, health, incarnation, primary_instance_id, instance_type,
      mode, az, region, account_id, terminate_wait_seconds, revision)
    select agent_id, client_id, 'name-' || n, status, 'healthy', 1, instance_id, 'g5.xlarge', mode, region || 'a', region,
      '${account}', 300, 1 from ${one}`);
  await sql.query(`
    insert into instances (client_id, id, agent_id, instance_type, az, region, account_id, mode, instance_status,
      incarnation, created_at)
    select client_id, instance_id, agent_id, 'g5.xlarge', region || 'a', region, '${account}', mode, 'primary', 1,
      now() - interval '10 hours' from ${one}`);
  await sql.query(`
    insert into instance_standing (agent_id, instance_id, client_id, role, incarnation, current_incarnation,
      heartbeat_interval_seconds, revision)
    select agent_id, instance_id, client_id, 'primary', 1, 1, 30, 1 from ${one}`);
  await sql.query(
    `insert into leases (agent_id, instance_id, client_id, revision, state, health, gpu_utilization_percent,
      cost_accumulated, idle_since, heartbeats, missed_heartbeats, first_heartbeat_at, last_heartbeat_at, lease_until)
    select agent_id, instance_id, client_id, 1, case status when 'online' then 'live' else 'silent' end, 'healthy',
      case when idle then 2 else 20 + n % 80 end, $1::numeric, case when idle then now() - interval '2 hours' end,
      100, n % 3, now() - interval '10 hours',
      now() - case status when 'online' then interval '10 seconds' when 'silent' then interval '4 minutes'
        else interval '2 hours' end, now() + interval '1 hour'
    from ${one}`,
    [reportedCost],
  );
  await sql.query('vacuum analyze');
}

/** The price of the fleet's machines in one region, from a day ago. */
export async function setPrice(
  sql: Client,
  region: string,
  mode: 'spot' | 'ondemand',
  usdPerHour: number,
  account = ACCOUNT,
) {
  await sql.query(
    `insert into price_book (account_id, region, instance_type, mode, zone, held_from, usd_per_hour)
     values ($4, $1, 'g5.xlarge', $2, case $2 when 'spot' then $1 || 'a' else '' end,
       now() - interval '1 day', $3)`,
    [region, mode, usdPerHour, account],
  );
}
