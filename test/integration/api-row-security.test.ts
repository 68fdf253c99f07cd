/** What each database role can see and do, by raw SQL: what a fault in the API's own checks would meet. */
import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { NOWHERE, RunningApi } from '../harness/running-api';

const CLIENT_TABLES = [
  'agent_identities',
  'agents',
  'instances',
  'replica_instances',
  'launch_intents',
  'system_events',
  'instance_standing',
  'leases',
];

let running: RunningApi;

beforeAll(async () => {
  running = await RunningApi.start({ env: { TEMPORAL_ADDRESS: NOWHERE } });
  for (const client of ['alpha', 'beta']) {
    const agentId = randomUUID();
    await running.bookAgent(client, agentId, [
      { instanceId: `i-${client}`, role: 'primary', incarnation: 1 },
    ]);
    await running.call(
      'POST',
      `/api/agents/${agentId}/heartbeat`,
      running[client as 'alpha' | 'beta'].client,
      {},
    );
    await running.sql.query(
      `insert into instances (client_id, id, agent_id, instance_type, az, region, account_id, mode, instance_status)
       values ($1, $2, $3, 'p3', 'us-east-1a', 'us-east-1', '1', 'spot', 'primary')`,
      [client, `i-${client}`, agentId],
    );
    await running.sql.query(
      `insert into replica_instances (id, client_id, agent_id, replica_type, instance_status)
       values ($2 || '-r1', $1, $2, 'manual', 'launching')`,
      [client, agentId],
    );
    await running.sql.query(
      `insert into launch_intents (launch_id, client_id, agent_id, logical_agent_id, switch_number, attempt, account_id,
         region, instance_type, az, mode, image_id, client_token, user_data)
       values ($1, $2, $3, 'l', 1, 1, '1', 'us-east-1', 'p3', 'us-east-1a', 'spot', 'ami', $1, '{}')`,
      [`launch-${client}`, client, agentId],
    );
    await running.sql.query(
      `insert into system_events (event_key, client_id, event_type, severity, message)
       values ($1, $1, 'test', 'info', 'm')`,
      [client],
    );
  }
});

afterAll(() => running.stop());

/** Runs statements as a role, in a transaction that is rolled back. */
async function as<T>(
  role: string,
  scope: Record<string, string>,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const client = new Client({ connectionString: running.database.url, options: `-c role=${role}` });
  await client.connect();
  try {
    await client.query('begin');
    for (const [name, value] of Object.entries(scope)) {
      await client.query('select set_config($1, $2, true)', [`spotkeeper.${name}`, value]);
    }
    return await work(client);
  } finally {
    await client.query('rollback');
    await client.end();
  }
}

const owners = async (client: Client, table: string) =>
  (await client.query<{ client_id: string }>(`select distinct client_id from ${table} order by 1`)).rows.map(
    (row) => row.client_id,
  );

test.each(CLIENT_TABLES)('the API sees of %s only what its scope names', async (table) => {
  expect(await owners(running.sql, table)).toEqual(['alpha', 'beta']);
  expect(await as('spotkeeper_api', {}, (client) => owners(client, table))).toEqual([]);
  expect(await as('spotkeeper_api', { client_id: 'alpha' }, (client) => owners(client, table))).toEqual([
    'alpha',
  ]);
  expect(await as('spotkeeper_api', { client_id: '' }, (client) => owners(client, table))).toEqual([]);
});

test.each(['heartbeat_samples', 'heartbeat_samples_5m', 'heartbeat_samples_1h'])(
  'the API sees of %s only what the leases of its scope name',
  async (table) => {
    if (table !== 'heartbeat_samples') {
      await running.sql.query(
        `insert into ${table} (lease_id, starts_at, samples, missed, unhealthy_samples, idle_samples, gpu_samples)
         select id, date_bin('1 hour', now(), '2001-01-01Z'), 1, 0, 0, 0, 0 from leases`,
      );
    }
    const leasesOf = async (client: Client) =>
      (
        await client.query<{ client_id: string }>(
          `select client_id from ${table} join leases on leases.id = lease_id`,
        )
      ).rows.map((row) => row.client_id);
    const count = async (client: Client) =>
      (await client.query<{ n: number }>(`select count(*)::int as n from ${table}`)).rows[0]!.n;
    expect((await leasesOf(running.sql)).sort()).toEqual(['alpha', 'beta']);
    expect(await as('spotkeeper_api', {}, count)).toBe(0);
    expect(await as('spotkeeper_api', { client_id: 'alpha' }, count)).toBe(1);
    expect(await as('spotkeeper_api', { client_id: 'alpha' }, leasesOf)).toEqual(['alpha']);
  },
);

test('a scope ends with its transaction', async () => {
  const client = new Client({ connectionString: running.database.url, options: '-c role=spotkeeper_api' });
  await client.connect();
  try {
    await client.query('begin');
    await client.query(`select set_config('spotkeeper.client_id', 'alpha', true)`);
    await client.query('commit');
    expect(await owners(client, 'agents')).toEqual([]);
  } finally {
    await client.end();
  }
});

test('a token is found by its hash alone, a launch and an instance by their ids', async () => {
  const hashes = await running.sql.query<{ hash: string }>(
    `select encode(token_hash, 'hex') as hash from tokens where client_id = 'beta' and kind = 'client'`,
  );
  const seen = await as('spotkeeper_api', { token_hashes: `${hashes.rows[0]!.hash},00` }, async (client) => ({
    tokens: (await client.query('select client_id, kind from tokens')).rows as unknown[],
    agents: await owners(client, 'agents'),
    clients: (await client.query('select id from clients')).rows as unknown[],
  }));
  expect(seen).toEqual({ tokens: [{ client_id: 'beta', kind: 'client' }], agents: [], clients: [] });
  const launch = await as('spotkeeper_api', { launch_id: 'launch-alpha' }, async (client) => ({
    intents: (await client.query('select launch_id from launch_intents')).rows as unknown[],
    agents: await owners(client, 'agents'),
  }));
  expect(launch).toEqual({ intents: [{ launch_id: 'launch-alpha' }], agents: [] });
  const own = await running.sql.query<{ id: string }>(
    `select id from instances where client_id = 'alpha' limit 1`,
  );
  const instance = await as('spotkeeper_api', { instance_id: own.rows[0]!.id }, async (client) => ({
    instances: (await client.query('select client_id from instances')).rows as unknown[],
    agents: await owners(client, 'agents'),
  }));
  expect(instance).toEqual({ instances: [{ client_id: 'alpha' }], agents: [] });
});

const forbidden: [string, Record<string, string>, string][] = [
  ['spotkeeper_ingest', {}, 'select * from agents'],
  ['spotkeeper_ingest', {}, 'select * from tokens'],
  ['spotkeeper_ingest', {}, 'select * from clients'],
  ['spotkeeper_ingest', {}, 'select * from system_events'],
  ['spotkeeper_ingest', {}, 'select * from heartbeat_samples'],
  ['spotkeeper_ingest', {}, 'select * from heartbeat_samples_rest'],
  ['spotkeeper_ingest', {}, 'select make_sample_parts()'],
  ['spotkeeper_api', { client_id: 'alpha' }, 'select * from heartbeat_samples_rest'],
  ['spotkeeper_api', { client_id: 'alpha' }, 'delete from heartbeat_samples'],
  ['spotkeeper_api', { client_id: 'alpha' }, `select drop_sample_part('heartbeat_samples_rest')`],
  ['spotkeeper_worker', {}, 'delete from heartbeat_samples'],
  ['spotkeeper_ingest', {}, `update instance_standing set role = 'primary'`],
  ['spotkeeper_ingest', {}, 'delete from leases'],
  ['spotkeeper_api', { client_id: 'alpha' }, `update agents set status = 'deleted'`],
  ['spotkeeper_api', { client_id: 'alpha' }, `update leases set state = 'offline'`],
  ['spotkeeper_api', { client_id: 'alpha' }, 'select * from outbox'],
  ['spotkeeper_api', { client_id: 'alpha' }, 'delete from tokens'],
  [
    'spotkeeper_api',
    { client_id: 'alpha' },
    `insert into outbox (client_id, workflow_id, signal, payload) values ('beta', 'agent:1', 'keepAlive', '{}')`,
  ],
  [
    'spotkeeper_api',
    { client_id: 'alpha' },
    `insert into system_events (event_key, client_id, event_type, severity, message) values ('x', 'beta', 'x', 'info', 'x')`,
  ],
  ['spotkeeper_api', { client_id: 'alpha' }, 'delete from system_events'],
  [
    'spotkeeper_api',
    { client_id: 'alpha' },
    `insert into agent_identities (agent_id, client_id, logical_agent_id) values ('x', 'beta', 'y')`,
  ],
  ['spotkeeper_api', { client_id: 'alpha' }, `insert into clients (id, name) values ('gamma', 'gamma')`],
  [
    'spotkeeper_api',
    { client_id: 'alpha' },
    `insert into tokens (token_hash, kind) values ('\\x00', 'admin')`,
  ],
  ['spotkeeper_worker', {}, 'delete from system_events'],
  ['spotkeeper_worker', {}, 'delete from notification_deliveries'],
  ['spotkeeper_api', { client_id: 'alpha' }, 'select prune_events(90, 365, 1)'],
  ['spotkeeper_worker', {}, 'select * from tokens'],
  ['spotkeeper_worker', {}, `update clients set policy = '{}'`],
];

test.each(forbidden)('%s %j may not: %s', async (role, scope, statement) => {
  await expect(as(role, scope, (client) => client.query(statement))).rejects.toThrow(
    /permission denied|row-level security/,
  );
});
