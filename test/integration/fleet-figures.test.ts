/**
 * The fleet in numbers, from a real database. With FLEET_AGENTS=100000 it says how long each statement took; what is
 * tested is the same.
 */
import { type CompiledQuery, Kysely, PostgresDialect } from 'kysely';
import { Client, Pool } from 'pg';
import { fleetText } from '../../api/prometheus/fleet-gauges';
import { connectDatabase, type Db } from '../../db/connect';
import { countEvents, newestEvent } from '../../db/event-counts';
import { type FleetFigures, readFleetFigures } from '../../db/fleet-figures';
import { createTestDatabase, type TestDatabase } from '../harness/database';
import { fillFleet, setPrice } from '../harness/fleet';

const AGENTS = Number(process.env['FLEET_AGENTS'] ?? 2_000);
const CLIENTS = 300;

let database: TestDatabase;
let sql: Client;
let db: Db;
let figures: FleetFigures;

beforeAll(async () => {
  database = await createTestDatabase();
  sql = new Client({ connectionString: database.url });
  await sql.connect();
  db = connectDatabase(database.url, 'spotkeeper_metrics');
  await fillFleet(sql, {
    agents: AGENTS,
    clients: CLIENTS,
    orphaned: 2,
    silent: 3,
    idle: 10,
    reportedCost: null,
  });
  await setPrice(sql, 'us-east-1', 'spot', 0.5);
  await setPrice(sql, 'us-west-2', 'ondemand', 2);
  const started = performance.now();
  figures = await readFleetFigures(db, 50);
  if (AGENTS > 10_000) console.log(`${AGENTS} agents read in ${Math.round(performance.now() - started)} ms`);
});

afterAll(async () => {
  await db?.destroy();
  await sql?.end();
  await database?.drop();
});

const share = (percent: number) => (AGENTS * percent) / 100;

it('counts agents by status, place, GPU and idleness', () => {
  expect(Object.fromEntries(figures.byStatus.map((one) => [one.status, one.agents]))).toEqual({
    orphaned: share(2),
    silent: share(3),
    online: share(95),
  });
  expect(figures.byPlacement.reduce((sum, one) => sum + one.agents, 0)).toBe(AGENTS);
  expect(figures.byGpuBand.find((one) => one.band === '5')?.agents).toBe(share(10));
  expect(figures.byGpuBand.reduce((sum, one) => sum + one.agents, 0)).toBe(share(95));
  expect(figures.gpuAgents).toBe(share(95));
  expect(figures.idle).toBe(share(10));
  const [first, , median] = figures.gpuQuantiles;
  expect(first).toEqual({ quantile: 0.1, percent: 2 });
  expect(median?.percent).toBeGreaterThan(50);
});

it('counts what idle machines cost by the prices in force, and says how many have none', async () => {
  const { rows } = await sql.query<{ region: string; mode: string; machines: number }>(
    `select region, agents.mode, count(*)::int as machines from agents join leases on agent_id = agents.id
     where idle_since is not null group by 1, 2`,
  );
  const machines = (region: string, mode: string) =>
    rows.find((row) => row.region === region && row.mode === mode)?.machines ?? 0;
  const [cheap, dear] = [machines('us-east-1', 'spot'), machines('us-west-2', 'ondemand')];
  expect(cheap * dear).toBeGreaterThan(0);
  expect(figures.idleDollarsPerHour).toBeCloseTo(0.5 * cheap + 2 * dear);
  expect(figures.idleWithoutPrice).toBe(share(10) - cheap - dear);
});

it('counts the heartbeats that are missing now with those that were missed', async () => {
  const { rows } = await sql.query<{ missed: number }>(
    'select sum(missed_heartbeats)::int as missed from leases',
  );
  const missing = figures.missedHeartbeats - (rows[0]?.missed ?? 0);
  // Four minutes of silence are seven or eight beats of thirty seconds, two hours about 239.
  expect(missing).toBeGreaterThanOrEqual(share(3) * 7 + share(2) * 239);
  expect(missing).toBeLessThanOrEqual(share(3) * 8 + share(2) * 240);
});

it('counts none as missing for the time in which a machine was stopped', async () => {
  const { rows } = await sql.query<{ client_id: string; instance_id: string }>(
    `select client_id, instance_id from leases where state = 'silent' and last_heartbeat_at < now() - interval '1 hour'
     order by id limit 1`,
  );
  const { client_id, instance_id } = rows[0]!;
  await sql.query(
    `insert into instance_stops (client_id, instance_id, stopped_at) values ($1, $2, now() - interval '1 hour')`,
    [client_id, instance_id],
  );
  const stopped = await readFleetFigures(db, 50);
  await sql.query('delete from instance_stops where instance_id = $1', [instance_id]);
  expect(Math.round((figures.missedHeartbeats - stopped.missedHeartbeats) / 10)).toBe(12);
});

it('names so many orphaned agents, the longest silent first, and the costliest of the idle ones', () => {
  expect(figures.orphaned).toHaveLength(Math.min(50, share(2)));
  expect(figures.costly).toHaveLength(50);
  for (const agent of figures.costly) expect(agent.gpuUtilizationPercent).toBe(2);
  // Ten hours at two dollars, then what costs half a dollar.
  expect(figures.costly[0]?.cost).toBeCloseTo(20, 1);
  const costs = figures.costly.map((agent) => agent.cost ?? 0);
  expect(costs).toEqual([...costs].sort((one, other) => other - one));
});

it('takes what an agent reports before what the price book says, and leaves stopped hours out', async () => {
  const { instanceId, clientId } = figures.costly[0]!;
  const another = figures.costly[1]!;
  await sql.query(
    `insert into instance_stops (client_id, instance_id, stopped_at, started_at)
     values ($1, $2, now() - interval '5 hours', now() - interval '2 hours')`,
    [clientId, instanceId],
  );
  await sql.query('update leases set cost_accumulated = 123.45 where instance_id = $1', [another.instanceId]);
  const { costly } = await readFleetFigures(db, 50);
  expect(costly[0]).toEqual({ ...another, cost: 123.45 });
  expect(costly.find((one) => one.instanceId === instanceId)?.cost).toBeCloseTo(14, 1);
});

it('bounds the series: so many agents, 200 clients and the rest as one, and every sum is still right', async () => {
  const text = await fleetText(figures, [], true);
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  expect(lines.filter((line) => line.includes('agent_id=')).length).toBeLessThanOrEqual(4 * 50);
  expect(lines.length).toBeLessThan(4 * 50 + 201 * 7 + 150);
  expect(sumOf(lines, 'spotkeeper_client_agents')).toBe(AGENTS);
  expect(lines.some((line) => line.startsWith('spotkeeper_client_agents{client_id="others"'))).toBe(true);
  expect(sumOf(lines, 'dumont_agents_orphaned')).toBe(share(2));
  // Not every agent has a series, so its average must be the fleet's by itself.
  const mean = lines.filter((line) => line.startsWith('dumont_agents_gpu_utilization_percent'));
  expect(mean).toHaveLength(1);
  expect(Number(mean[0]?.split(' ')[1])).toBeCloseTo(figures.gpuMean ?? NaN);
});

it('gives each agent of a small fleet its series of GPU utilization', async () => {
  const few = { ...figures, gpuAgents: figures.costly.length };
  const lines = (await fleetText(few, [], true)).split('\n');
  expect(
    lines.filter((line) => /^dumont_agents_gpu_utilization_percent\{.*agent_id=/.test(line)),
  ).toHaveLength(50);
});

it('names nobody where it is not asked to', async () => {
  const text = await fleetText(
    figures,
    [{ accountId: '123456789012', region: 'us-east-1', pollers: 1 }],
    false,
  );
  expect(text).not.toMatch(/client-|agent-\d|i-\d|name-|123456789012/);
  const lines = text.split('\n');
  expect(lines).toContain(`dumont_agents_orphaned{instance_id="others"} ${share(2)}`);
  expect(lines).toContain(`dumont_agents_active ${share(95)}`);
});

it('counts events that have settled once, by type and by how an agent was put to rest', async () => {
  const from = await newestEvent(db);
  const add = (key: string, type: string, details: object, age: string) =>
    sql.query(
      `insert into system_events (event_key, client_id, event_type, severity, message, details, created_at)
       values ($1, 'client-1', $2, 'warning', '', $3, now() - $4::interval)`,
      [key, type, JSON.stringify(details), age],
    );
  await add('a', 'agent_silent', {}, '10 seconds');
  await add('b', 'agent_silent', {}, '9 seconds');
  await add('c', 'agent_hibernated', { method: 'stop', cause: 'idle' }, '8 seconds');
  await add('d', 'agent_silent', {}, '0 seconds');
  const first = await countEvents(db, from);
  const base = { severity: 'warning', method: null, cause: null, outcome: null };
  expect(first.counts).toHaveLength(2);
  expect(first.counts).toEqual(
    expect.arrayContaining([
      { ...base, eventType: 'agent_silent', events: 2, newest: expect.any(String) },
      {
        ...base,
        eventType: 'agent_hibernated',
        method: 'stop',
        cause: 'idle',
        events: 1,
        newest: expect.any(String),
      },
    ]),
  );
  expect((await countEvents(db, first.newest)).counts).toEqual([]);
  await sql.query(`update system_events set created_at = now() - interval '6 seconds' where event_key = 'd'`);
  expect((await countEvents(db, first.newest)).counts).toMatchObject([
    { eventType: 'agent_silent', events: 1 },
  ]);
});

it('looks at no table agent by agent', async () => {
  const queries: CompiledQuery[] = [];
  const pool = new Pool({ connectionString: database.url, options: '-c role=spotkeeper_metrics', max: 1 });
  const watched: Db = new Kysely({
    dialect: new PostgresDialect({ pool }),
    log: ({ query }) => void (/^\s*(select|with)\b/.test(query.sql) && queries.push(query)),
  });
  await readFleetFigures(watched, 50);
  await watched.destroy();
  expect(queries.length).toBeGreaterThan(8);
  for (const query of queries) {
    await sql.query('set enable_nestloop = off');
    const { rows } = await sql.query<{ 'QUERY PLAN': [Explained] }>(
      `explain (analyze, buffers, format json) ${query.sql}`,
      [...query.parameters],
    );
    const [explained] = rows[0]!['QUERY PLAN'];
    if (AGENTS > 10_000)
      if (AGENTS > 10_000)
        console.log(Math.round(explained['Execution Time']), 'ms', query.sql.slice(0, 120));
    // An inner side that runs once for each agent is what takes minutes at 100,000.
    expect(mostLoops(explained.Plan)).toBeLessThanOrEqual(100);
  }
});

it('changes nothing and sees no token', async () => {
  await expect(db.updateTable('leases').set({ health: 'healthy' }).execute()).rejects.toThrow(
    'permission denied',
  );
  await expect(db.selectFrom('tokens').select('id').execute()).rejects.toThrow('permission denied');
});

function sumOf(lines: string[], name: string): number {
  return lines
    .filter((line) => line.startsWith(`${name}{`))
    .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

interface PlanNode {
  'Actual Loops': number;
  Plans?: PlanNode[];
}

interface Explained {
  Plan: PlanNode;
  'Execution Time': number;
}

function mostLoops({ 'Actual Loops': loops, Plans = [] }: PlanNode): number {
  return Math.max(loops, ...Plans.map(mostLoops));
}
