/** Samples: what a heartbeat leaves, summed up once whatever happens, in parts that come and go. */
import { Client } from 'pg';
import { connectDatabase, type Db } from '../../db/connect';
import { keepSamples, SAMPLE_LIMITS } from '../../db/sample-parts';
import { rollUpSamples } from '../../db/sample-rollup';
import { addSamples, UNKNOWN_SAMPLE } from '../../db/samples';
import { createTestDatabase, type TestDatabase } from '../harness/database';
import { seedClient } from '../harness/seed';

let database: TestDatabase;
let worker: Db;
let ingest: Db;
let sql: Client;

beforeAll(async () => {
  database = await createTestDatabase();
  await seedClient(database.url, 'c1');
  worker = connectDatabase(database.url, 'spotkeeper_worker');
  ingest = connectDatabase(database.url, 'spotkeeper_ingest');
  sql = new Client({ connectionString: database.url });
  await sql.connect();
});
afterAll(async () => {
  await sql?.end();
  await worker?.destroy();
  await ingest?.destroy();
  await database?.drop();
});
beforeEach(async () => {
  await sql.query(
    'truncate heartbeat_samples, heartbeat_samples_5m, heartbeat_samples_1h, sample_rollups, leases',
  );
  for (const { part } of (await parts()).filter(({ ends_at }) => ends_at.getTime() < Date.now())) {
    await sql.query('select drop_sample_part($1)', [part]);
  }
});

const parts = async () =>
  (await sql.query<{ parent: string; part: string; ends_at: Date }>('select * from sample_parts')).rows;

/** The start of an hour that ended at least `hours` hours ago. */
function pastHour(hours: number): Date {
  return new Date(Math.floor(Date.now() / 3_600_000) * 3_600_000 - (hours + 1) * 3_600_000);
}

interface Given {
  gpu?: number | null;
  missed?: number;
  healthy?: boolean;
  idle?: boolean | null;
  cpu?: number | null;
  cost?: string | null;
  lease?: number;
}

async function sample(at: Date, given: Given = {}): Promise<void> {
  await sql.query(
    `insert into heartbeat_samples (received_at, lease_id, online, healthy, idle, missed, gpu_utilization_percent,
       cpu_utilization_percent, cost_accumulated) values ($1, $2, true, $3, $4, $5, $6, $7, $8)`,
    [
      at,
      given.lease ?? 1,
      given.healthy ?? true,
      given.idle ?? null,
      given.missed ?? 0,
      given.gpu ?? null,
      given.cpu ?? null,
      given.cost ?? null,
    ],
  );
}

const after = (at: Date, seconds: number) => new Date(at.getTime() + seconds * 1000);

const steps = async (size: '5m' | '1h') =>
  (
    await sql.query<Record<string, unknown>>(
      `select * from heartbeat_samples_${size} order by lease_id, starts_at`,
    )
  ).rows;

it('keeps every field, and unknown as unknown', async () => {
  const full = {
    leaseId: '7',
    online: true,
    healthy: false,
    idle: true,
    missed: 2,
    gpuUtilizationPercent: 3.5,
    vramUsedGb: 18.25,
    cpuUtilizationPercent: 45,
    ramUsedGb: 12,
    diskUsedGb: 45.5,
    costAccumulated: '2.40',
    uptimeSeconds: 7200,
  };
  const bare = { ...UNKNOWN_SAMPLE, leaseId: '8', online: false, healthy: true };
  await ingest.transaction().execute((transaction) => addSamples(transaction, [full, bare]));
  const { rows } = await sql.query('select * from heartbeat_samples order by lease_id');
  const [one, two] = rows as Record<string, unknown>[];
  expect(one).toEqual({
    received_at: expect.any(Date),
    lease_id: '7',
    online: true,
    healthy: false,
    idle: true,
    missed: 2,
    gpu_utilization_percent: 3.5,
    vram_used_gb: 18.25,
    cpu_utilization_percent: 45,
    ram_used_gb: 12,
    disk_used_gb: 45.5,
    cost_accumulated: '2.40',
    uptime_seconds: 7200,
  });
  expect(two).toMatchObject({ lease_id: '8', online: false, healthy: true, missed: 0 });
  const unknown = ['idle', 'gpu_utilization_percent', 'vram_used_gb', 'cost_accumulated', 'uptime_seconds'];
  for (const column of unknown) expect(two![column]).toBeNull();
  await ingest.transaction().execute((transaction) => addSamples(transaction, []));
});

it('sums up five minutes and hours, leaving out what is unknown', async () => {
  const hour = pastHour(2);
  await sample(after(hour, 0), { gpu: 80, cpu: 10, cost: '1.10' });
  await sample(after(hour, 60), { gpu: 90, healthy: false, missed: 1, cost: '1.20' });
  await sample(after(hour, 299.9), { gpu: null, idle: null, cost: '1.30' });
  await sample(after(hour, 300), { gpu: 2, idle: true });
  await sample(after(hour, 330), { gpu: 4, idle: true, missed: 2, lease: 2 });
  await rollUpSamples(worker);
  expect(await steps('5m')).toMatchObject([
    {
      ...{ lease_id: '1', starts_at: hour, samples: 3, missed: 1, unhealthy_samples: 1, idle_samples: 0 },
      ...{ gpu_samples: 2, gpu_utilization_avg: 85, gpu_utilization_max: 90, cpu_utilization_avg: 10 },
      ...{ vram_used_gb_avg: null, cost_accumulated: '1.30' },
    },
    { lease_id: '1', starts_at: after(hour, 300), samples: 1, idle_samples: 1, gpu_utilization_avg: 2 },
    { lease_id: '2', starts_at: after(hour, 300), samples: 1, missed: 2, gpu_utilization_max: 4 },
  ]);
  const [one, two] = await steps('1h');
  expect(one).toMatchObject({ lease_id: '1', starts_at: hour, samples: 4, missed: 1, gpu_samples: 3 });
  expect(one!['gpu_utilization_avg']).toBeCloseTo((80 + 90 + 2) / 3, 4);
  expect(one).toMatchObject({ gpu_utilization_max: 90, cpu_utilization_avg: 10, cost_accumulated: '1.30' });
  expect(two).toMatchObject({ lease_id: '2', samples: 1, missed: 2 });
});

it('counts each sample once, however often and by however many it is summed up', async () => {
  const hour = pastHour(3);
  for (let minute = 0; minute < 60; minute += 1) await sample(after(hour, minute * 60), { gpu: minute });
  await Promise.all([rollUpSamples(worker), rollUpSamples(worker), rollUpSamples(worker)]);
  await sql.query('delete from sample_rollups'); // as after a restore: all of it again
  await rollUpSamples(worker);
  expect((await steps('5m')).map((step) => step['samples'])).toEqual(Array(12).fill(5));
  expect(await steps('1h')).toMatchObject([{ samples: 60, gpu_utilization_avg: 29.5 }]);
  expect(await rollUpSamples(worker)).toBe(0);
});

it('writes a step and its progress together or not at all', async () => {
  await sample(pastHour(1), { gpu: 1 });
  // Whatever kills the round, here a table that takes nothing, leaves no progress behind.
  await sql.query('alter table heartbeat_samples_5m add constraint nothing check (samples < 0) not valid');
  await expect(rollUpSamples(worker)).rejects.toThrow(/nothing/);
  await sql.query('alter table heartbeat_samples_5m drop constraint nothing');
  expect((await sql.query('select * from sample_rollups')).rows).toEqual([]);
  await rollUpSamples(worker);
  expect(await steps('5m')).toMatchObject([{ samples: 1 }]);
});

it('counts a sample that was committed late, at the latest before its part is dropped', async () => {
  const hour = pastHour(30);
  await sample(hour, { gpu: 10 });
  await rollUpSamples(worker);
  await sample(after(hour, 1), { gpu: 20 });
  await sample(after(hour, 1200), { gpu: 60 });
  await rollUpSamples(worker);
  expect(await steps('5m')).toMatchObject([{ samples: 1 }]);
  const kept = await keepSamples(worker, SAMPLE_LIMITS);
  expect(kept).toMatchObject({
    dropped: [expect.stringMatching(/^heartbeat_samples_\d{8}t\d\d$/)],
    droppedEarly: [],
  });
  expect(await steps('5m')).toMatchObject([
    { samples: 2, gpu_utilization_avg: 15 },
    { samples: 1, gpu_utilization_avg: 60 },
  ]);
  expect(await steps('1h')).toMatchObject([{ samples: 3, gpu_utilization_avg: 30 }]);
  // What comes later still can't replace the full sums by those of itself alone.
  await sample(after(hour, 2), { gpu: 0 });
  await keepSamples(worker, SAMPLE_LIMITS);
  expect(await steps('5m')).toMatchObject([{ samples: 2 }, { samples: 1 }]);
  expect((await sql.query('select * from heartbeat_samples')).rows).toEqual([]);
});

it('takes samples that no part is there for, and moves them where they belong', async () => {
  const hour = pastHour(5);
  await sample(hour);
  await sample(after(hour, 3599));
  await sample(after(hour, 3600));
  const where = async () =>
    (
      await sql.query<{ n: number; part: string }>(
        'select tableoid::regclass::text as part, count(*)::int as n from heartbeat_samples group by 1 order by 1',
      )
    ).rows.map(({ part, n }) => `${part} ${n}`);
  expect(await where()).toEqual(['heartbeat_samples_rest 3']);
  expect((await keepSamples(worker, SAMPLE_LIMITS)).partsMade).toBe(2);
  expect(await where()).toEqual([
    expect.stringMatching(/^heartbeat_samples_\d{8}t\d\d 2$/),
    expect.stringMatching(/^heartbeat_samples_\d{8}t\d\d 1$/),
  ]);
  expect((await keepSamples(worker, SAMPLE_LIMITS)).partsMade).toBe(0);
});

it('drops what is too old, by table', async () => {
  const step = (size: string, at: Date) =>
    sql.query(
      `insert into heartbeat_samples_${size} (lease_id, starts_at, samples, missed, unhealthy_samples, idle_samples,
         gpu_samples) values (1, $1, 1, 0, 0, 0, 0)`,
      [at],
    );
  await sample(pastHour(25));
  await sample(pastHour(22));
  await step('5m', pastHour(24 * 9));
  await step('5m', pastHour(24 * 5));
  await step('1h', pastHour(24 * 98));
  await step('1h', pastHour(24 * 80));
  const kept = await keepSamples(worker, SAMPLE_LIMITS);
  expect(kept.dropped.map((part) => part.replace(/_\d{8}t\d\d$/, '')).sort()).toEqual([
    'heartbeat_samples',
    'heartbeat_samples_1h',
    'heartbeat_samples_5m',
  ]);
  expect((await sql.query('select * from heartbeat_samples')).rowCount).toBe(1);
  expect((await steps('5m')).length).toBe(1 + 2); // what was there, and the sums of the two samples
  // The five minutes that went are in their hour, which is kept.
  expect((await steps('1h')).map((hour) => hour['starts_at'])).toContainEqual(pastHour(24 * 9));
});

it('drops the oldest full hours early when there is no room, never the one under way', async () => {
  const now = new Date();
  await sample(pastHour(3), { gpu: 1 });
  await sample(pastHour(2), { gpu: 2 });
  await sample(now, { gpu: 3 });
  const kept = await keepSamples(worker, { ...SAMPLE_LIMITS, fullRateBytes: 1 });
  expect(kept.droppedEarly).toHaveLength(2);
  const { rows } = await sql.query<{ received_at: Date }>('select received_at from heartbeat_samples');
  expect(rows).toEqual([{ received_at: now }]);
  expect(await steps('5m')).toHaveLength(2);
});

it('lets go when someone stands in its way, and tries again', async () => {
  await sample(pastHour(26));
  const reader = new Client({ connectionString: database.url });
  await reader.connect();
  try {
    await reader.query('begin');
    await reader.query('select count(*) from heartbeat_samples');
    expect(await keepSamples(worker, SAMPLE_LIMITS)).toMatchObject({ busy: true, dropped: [] });
    await reader.query('rollback');
  } finally {
    await reader.end();
  }
  expect((await keepSamples(worker, SAMPLE_LIMITS)).dropped).toHaveLength(1);
});

it('drops nothing but parts of samples', async () => {
  for (const table of [
    'heartbeat_samples_rest',
    'heartbeat_samples',
    'agents',
    'nothing_of_that_name',
    'x"; drop',
  ]) {
    await expect(sql.query('select drop_sample_part($1)', [table])).rejects.toThrow(
      /is no part of the samples|syntax/,
    );
  }
});
