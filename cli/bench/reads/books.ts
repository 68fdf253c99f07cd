/** The books of a large fleet, written past the API: a client with many agents, some of them silent, gone or unwell. */
import type { Client } from 'pg';

/** These have samples, sums and events behind them; the others only a lease. */
const WITH_HISTORY = 200;

export function withHistory(agents: number): number {
  return Math.min(agents, WITH_HISTORY);
}

/** Every n-th agent is so. */
const EVERY = { orphaned: 500, unhealthy: 400, onDemand: 10, deleted: 20, launchedToday: 4 } as const;

export const agentNumber = (number: number) => `agent-${String(number).padStart(7, '0')}`;
export const instanceNumber = (number: number) => `i-${number.toString(16).padStart(17, '0')}`;

export async function fillBooks(
  sql: Client,
  clientId: string,
  agents: number,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const fleet = `(select n, 'agent-' || lpad(n::text, 7, '0') as agent_id, 'i-' || lpad(to_hex(n), 17, '0') as instance_id,
      'us-east-1' || chr(97 + n % 6) as az, case when n % ${EVERY.onDemand} = 3 then 'ondemand' else 'spot' end as mode,
      case when n % ${EVERY.orphaned} = 7 then 'orphaned' when n % ${EVERY.deleted} = 11 then 'deleted' else 'online' end as status,
      case when n % ${EVERY.unhealthy} = 9 then 'unhealthy' else 'healthy' end as health,
      (array['g5.xlarge', 'p3.2xlarge', 'g4dn.xlarge', 'c6i.large'])[1 + n % 4] as type
    from generate_series(1, $2::int) n) fleet`;
  const run = async (what: string, text: string, values: unknown[] = [clientId, agents]) => {
    signal.throwIfAborted();
    say(`Writing ${what} …`);
    await sql.query(text, values);
  };
  await run(
    'identities',
    `insert into agent_identities (agent_id, client_id, logical_agent_id) select agent_id, $1, 'trainer-' || n from ${fleet}`,
  );
  await run(
    'agents',
    `insert into agents (id, client_id, logical_agent_id, status, health, incarnation, primary_instance_id, instance_type,
       mode, az, region, account_id, terminate_wait_seconds, revision, deleted_at)
     select agent_id, $1, 'trainer-' || n, status, health, 1, instance_id, type, mode, az, 'us-east-1', '000000000000', 300,
       1, case when status = 'deleted' then now() - n * interval '1 second' end
     from ${fleet}`,
  );
  await run(
    'instances',
    `insert into instances (client_id, id, agent_id, instance_type, az, region, account_id, mode, instance_status,
       incarnation, registered_at, created_at, termination_confirmed, terminated_at)
     select $1, instance_id, agent_id, type, az, 'us-east-1', '000000000000', mode,
       case when status = 'deleted' then 'terminated' else 'primary' end, 1, now(),
       -- Each at a time of its own, in the last hours.
       now() - case when n % ${EVERY.launchedToday} = 2 then n % 20000 * interval '1 second' else interval '9 days' end,
       status = 'deleted', case when status = 'deleted' then now() end
     from ${fleet}`,
  );
  await run(
    'standings',
    `insert into instance_standing (agent_id, instance_id, client_id, role, incarnation, current_incarnation,
       heartbeat_interval_seconds, revision) select agent_id, instance_id, $1, 'primary', 1, 1, 60, 1 from ${fleet}`,
  );
  await run(
    'leases',
    `insert into leases (agent_id, instance_id, client_id, revision, state, health, mode, az, gpu_utilization_percent,
       cost_accumulated, heartbeats, first_heartbeat_at, last_heartbeat_at, lease_until)
     select agent_id, instance_id, $1, 1, case status when 'orphaned' then 'silent' else 'live' end, health, mode, az,
       n % 100, 2.40, 12000, now() - interval '9 days', now() - (n % 60) * interval '1 second', now() + interval '1 hour'
     from ${fleet} order by random()`,
  );
  await run(
    'events',
    `insert into system_events (event_key, client_id, agent_id, event_type, severity, message)
     select 'bench ' || n || ' ' || m, $1, agent_id, 'bench', 'info', 'An event of the bench.'
     from ${fleet}, generate_series(1, 3) m`,
  );
  await run(
    'prices',
    `insert into price_book select '000000000000', 'us-east-1', type, 'spot', 'us-east-1' || zone,
       now() - hour * interval '1 hour', 0.1 + hour * 0.0001
     from unnest(array['g5.xlarge', 'p3.2xlarge', 'g4dn.xlarge', 'c6i.large']) type,
       unnest(array['a', 'b', 'c', 'd', 'e', 'f']) zone, generate_series(0, 24 * 14, 3) hour
     union all
     select '000000000000', 'us-east-1', type, 'ondemand', '', timestamptz 'epoch', 1.006
     from unnest(array['g5.xlarge', 'p3.2xlarge', 'g4dn.xlarge', 'c6i.large']) type`,
    [],
  );
  await fillSamples(sql, withHistory(agents), run);
  say('Letting the database look at what it has …');
  await sql.query('vacuum analyze');
  await sql.query('checkpoint');
}

/** Twenty minutes of everyone, as they come: a minute's beats of all, then the next minute's. Then days of a few. */
async function fillSamples(
  sql: Client,
  withSums: number,
  run: (what: string, text: string, values?: unknown[]) => Promise<void>,
): Promise<void> {
  const values = `true, true, false, 0, 50 + lease_id % 50, 18.4, 45, 12, 45.2, 2.40, 7200`;
  const columns = `received_at, lease_id, online, healthy, idle, missed, gpu_utilization_percent, vram_used_gb,
    cpu_utilization_percent, ram_used_gb, disk_used_gb, cost_accumulated, uptime_seconds`;
  const some = `(select id as lease_id from leases where instance_id <= $1) leases`;
  await run(
    'samples of all',
    `insert into heartbeat_samples (${columns})
     select now() - minute * interval '1 minute', lease_id, ${values}
     from generate_series(19, 0, -1) minute, (select id as lease_id from leases) leases`,
    [],
  );
  await run(
    'samples of a day, of some',
    `insert into heartbeat_samples (${columns})
     select now() - minute * interval '1 minute', lease_id, ${values} from generate_series(1439, 20, -1) minute, ${some}`,
    [instanceNumber(withSums)],
  );
  for (const [table, step, count] of [
    ['heartbeat_samples_5m', '5 minutes', 7 * 288],
    ['heartbeat_samples_1h', '1 hour', 90 * 24],
  ] as const) {
    await run(
      `${table} of some`,
      `insert into ${table} select date_bin('${step}', now(), '2001-01-01Z') - n * interval '${step}', lease_id, 5, 0, 0, 0, 5,
         50, 90, 18.4, 45, 12, 45.2, 2.40 from generate_series(${count}, 1, -1) n, ${some}`,
      [instanceNumber(withSums)],
    );
    await sql.query(`insert into sample_rollups values ($1, date_bin('${step}', now(), '2001-01-01Z'))`, [
      table,
    ]);
  }
  await sql.query('select make_sample_parts()');
}
