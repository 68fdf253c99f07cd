/** What a heartbeat changes: the lease, the sample, and whether the workflow hears. Time passes by moving the lease back. */
import { Client } from 'pg';
import type { Beat, Readings, Standing } from '../../db/heartbeat-news';
import { connectDatabase, type Db } from '../../db/connect';
import { openLease, storeBeats } from '../../db/leases';
import { createTestDatabase, type TestDatabase } from '../harness/database';
import { seedClient } from '../harness/seed';

let database: TestDatabase;
let db: Db;
let sql: Client;

beforeAll(async () => {
  database = await createTestDatabase();
  await seedClient(database.url, 'c1');
  db = connectDatabase(database.url, 'spotkeeper_ingest');
  sql = new Client({ connectionString: database.url });
  await sql.connect();
});
afterAll(async () => {
  await sql?.end();
  await db?.destroy();
  await database?.drop();
});

const NO_READINGS: Readings = {
  gpuUtilizationPercent: null,
  vramUsedGb: null,
  cpuUtilizationPercent: null,
  ramUsedGb: null,
  diskUsedGb: null,
  costAccumulated: null,
  uptimeSeconds: null,
};

let count = 0;

/** An agent with one instance that beats every 30 s, is idle below 5 %, and warned after 3 min. */
class Sender {
  readonly agentId = `a${(count += 1)}`;

  static async with(standing: Record<string, unknown> = {}): Promise<Sender> {
    const sender = new Sender();
    const row: Record<string, unknown> = {
      agent_id: sender.agentId,
      instance_id: 'i-1',
      client_id: 'c1',
      role: 'primary',
      incarnation: 1,
      current_incarnation: 1,
      heartbeat_interval_seconds: 30,
      idle_threshold_percent: 5,
      idle_warning_seconds: 180,
      revision: 1,
      ...standing,
    };
    const names = Object.keys(row);
    await sql.query(
      `insert into instance_standing (${names.join(', ')}) values (${names.map((_, at) => `$${at + 1}`).join(', ')})`,
      Object.values(row),
    );
    return sender;
  }

  beat(changes: Partial<Beat> = {}): Beat {
    return {
      clientId: 'c1',
      agentId: this.agentId,
      instanceId: 'i-1',
      named: true,
      status: 'online',
      health: 'healthy',
      mode: 'spot',
      zone: 'us-east-1a',
      readings: NO_READINGS,
      ...changes,
    };
  }

  async send(changes: Partial<Beat> = {}, everyBeat = false) {
    const { standings, workflowIds } = await storeBeats(db, [this.beat(changes)], everyBeat);
    return { standing: standings[0] as Standing, told: workflowIds.length > 0 };
  }

  gpu(percent: number | null, changes: Partial<Beat> = {}) {
    return this.send({ readings: { ...NO_READINGS, gpuUtilizationPercent: percent }, ...changes });
  }

  /** As if all that is known of the lease had been so much earlier. */
  async passes(seconds: number): Promise<void> {
    await sql.query(
      `update leases set last_heartbeat_at = last_heartbeat_at - make_interval(secs => $2),
         idle_since = idle_since - make_interval(secs => $2), lease_until = lease_until - make_interval(secs => $2)
       where agent_id = $1`,
      [this.agentId, seconds],
    );
  }

  async lease(): Promise<Record<string, unknown>> {
    const { rows } = await sql.query<Record<string, unknown>>(
      'select *, extract(epoch from now() - idle_since)::float8 as idle_seconds from leases where agent_id = $1',
      [this.agentId],
    );
    return rows[0] as Record<string, unknown>;
  }

  async samples(): Promise<Record<string, unknown>[]> {
    const { rows } = await sql.query<Record<string, unknown>>(
      `select sample.* from heartbeat_samples sample join leases on leases.id = lease_id
       where agent_id = $1 order by received_at`,
      [this.agentId],
    );
    return rows;
  }

  async news(): Promise<{ signal: string; payload: Record<string, unknown> }[]> {
    const { rows } = await sql.query<{ signal: string; payload: Record<string, unknown> }>(
      'select signal, payload from outbox where workflow_id = $1 order by id',
      [`agent:${this.agentId}`],
    );
    return rows;
  }
}

describe('news', () => {
  const cases: [string, (sender: Sender) => Promise<unknown>, Partial<Beat>, string | null][] = [
    ['the first ever', async () => undefined, {}, 'heartbeat'],
    [
      'the first after registration',
      (sender) => openLease(db, { clientId: 'c1', agentId: sender.agentId, instanceId: 'i-1' }),
      {},
      'heartbeat',
    ],
    ['one like the last', (sender) => sender.send(), {}, null],
    ['one that knows less', (sender) => sender.send(), { mode: null, zone: null }, null],
    [
      'the first after silence',
      async (sender) => {
        await sender.send();
        await sql.query(`update leases set state = 'silent' where agent_id = $1`, [sender.agentId]);
      },
      {},
      'heartbeat',
    ],
    ['the first after a goodbye', (sender) => sender.send({ status: 'offline' }), {}, 'heartbeat'],
    ['another health', (sender) => sender.send(), { health: 'unhealthy' }, 'heartbeat'],
    ['another mode', (sender) => sender.send(), { mode: 'ondemand' }, 'heartbeat'],
    ['another zone', (sender) => sender.send(), { zone: 'us-east-1b' }, 'heartbeat'],
    ['a zone where none was known', (sender) => sender.send({ zone: null }), {}, 'heartbeat'],
    ['a goodbye', (sender) => sender.send(), { status: 'offline' }, 'goneOffline'],
    ['a goodbye said before', (sender) => sender.send({ status: 'offline' }), { status: 'offline' }, null],
  ];

  test.each(cases)('%s', async (_name, before, changes, expected) => {
    const sender = await Sender.with();
    await before(sender);
    const already = (await sender.news()).length;
    const { told } = await sender.send(changes);
    const news = (await sender.news()).slice(already);
    expect(news.map((one) => one.signal)).toEqual(expected === null ? [] : [expected]);
    expect(told).toBe(expected !== null);
    const { revision } = await sender.lease();
    if (expected !== null) expect(String(news[0]!.payload.revision)).toBe(revision);
    // With every heartbeat a signal, none is left out.
    expect((await sender.send(changes, true)).told).toBe(true);
  });

  test('carries the full state of the lease, not only what changed', async () => {
    const sender = await Sender.with();
    await sender.send();
    await sender.gpu(40, { mode: null, zone: null, health: 'unhealthy' });
    expect((await sender.news()).at(-1)).toEqual({
      signal: 'heartbeat',
      payload: {
        instanceId: 'i-1',
        revision: 2,
        health: 'unhealthy',
        mode: 'spot',
        zone: 'us-east-1a',
        gpuUtilizationPercent: 40,
        idleSince: null,
        receivedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*\.\d{3}Z$/),
      },
    });
  });

  test.each([false, true])('a superseded instance says nothing (every beat: %s)', async (everyBeat) => {
    const sender = await Sender.with({ role: 'superseded', current_incarnation: 2 });
    expect((await sender.send({}, everyBeat)).told).toBe(false);
    const goodbye = await sender.send({ status: 'offline' }, everyBeat);
    expect(goodbye).toMatchObject({ told: false, standing: { role: 'superseded', currentIncarnation: 2 } });
    expect(await sender.news()).toEqual([]);
    expect(await sender.samples()).toHaveLength(2);
  });

  test('an unnamed goodbye ends the lease only while there was but one instance', async () => {
    const young = await Sender.with();
    await young.send();
    expect((await young.send({ status: 'offline', named: false })).told).toBe(true);
    expect(await young.lease()).toMatchObject({ state: 'offline' });
    expect((await young.news()).at(-1)).toMatchObject({
      signal: 'goneOffline',
      payload: { instanceId: 'i-1', named: false, revision: 2 },
    });
    const moved = await Sender.with({ incarnation: 2, current_incarnation: 2 });
    await moved.send();
    expect((await moved.send({ status: 'offline', named: false })).told).toBe(true);
    expect(await moved.lease()).toMatchObject({ state: 'live', revision: '1' });
    expect((await moved.news()).at(-1)).toMatchObject({
      signal: 'goneOffline',
      payload: { instanceId: null },
    });
  });

  test('a batch stores what it can: no standing, a deleted agent and a missing lease fail none of the others', async () => {
    const [one, two, deleted] = [
      await Sender.with(),
      await Sender.with(),
      await Sender.with({ role: 'superseded' }),
    ];
    await sql.query(
      `insert into agents (id, client_id, logical_agent_id, status, health, incarnation, terminate_wait_seconds,
         revision, deleted_at) values ($1, 'c1', $1, 'deleted', 'healthy', 1, 300, 1, now())`,
      [deleted.agentId],
    );
    await one.send();
    const beats = [
      new Sender().beat(),
      one.beat(),
      deleted.beat(),
      one.beat({ instanceId: 'i-other' }),
      two.beat(),
      two.beat({ clientId: 'c2' }),
    ];
    // The last names the same lease for another client: it is none of theirs.
    const { standings } = await storeBeats(db, beats.slice(0, 5), false);
    expect(standings).toEqual([
      'none',
      expect.objectContaining({ role: 'primary' }),
      'deleted',
      'none',
      expect.objectContaining({ role: 'primary' }),
    ]);
    expect((await storeBeats(db, beats.slice(5), false)).standings).toEqual(['none']);
    expect(await one.lease()).toMatchObject({ heartbeats: '2' });
    expect(await two.lease()).toMatchObject({ heartbeats: '1' });
    expect(await deleted.lease()).toBeUndefined();
    expect(await deleted.news()).toEqual([]);
  });
});

describe('missed heartbeats', () => {
  test.each([
    [30, 0],
    [44, 0],
    [46, 1],
    [60, 1],
    [88, 2],
    [3_600, 119],
    [10_000_000, 32_767],
  ])('after %d s, %d were missed', async (seconds, missed) => {
    const sender = await Sender.with();
    await sender.send();
    await sender.passes(seconds);
    await sender.send();
    expect(await sender.lease()).toMatchObject({ missed_heartbeats: String(missed), missed_before: missed });
    await sender.send();
    expect(await sender.lease()).toMatchObject({ missed_heartbeats: String(missed), missed_before: 0 });
    expect((await sender.samples()).map((one) => one.missed)).toEqual([0, missed, 0]);
  });

  test('after a goodbye none is due', async () => {
    const sender = await Sender.with();
    await sender.send({ status: 'offline' });
    await sender.passes(3_600);
    await sender.send();
    expect(await sender.lease()).toMatchObject({ missed_heartbeats: '0' });
  });
});

describe('a machine that was stopped owes no heartbeat for that time', () => {
  /** Stopped so many seconds ago, asked for half a minute before, and started again so many seconds ago. */
  async function stop(instanceId: string, stoppedAgo: number, startedAgo: number | null): Promise<void> {
    await sql.query(
      `insert into instance_stops (client_id, instance_id, stopped_at, started_at, asked_at) values ('c1', $1,
         now() - make_interval(secs => $2), now() - make_interval(secs => $3), now() - make_interval(secs => $2 + 30))`,
      [instanceId, stoppedAgo, startedAgo],
    );
  }

  test.each<[string, [number, number | null][], number, number]>([
    ['hibernated for hours', [[7_200, 10]], 7_240, 0],
    ['woken by other means, which nobody noted', [[7_200, null]], 7_240, 0],
    ['silent for half an hour before', [[7_200, 10]], 9_030, 59],
    [
      'stopped twice',
      [
        [7_200, 5_000],
        [4_000, 15],
      ],
      7_240,
      32,
    ],
    ['stopped before the last heartbeat', [[7_200, 5_000]], 300, 9],
  ])('%s', async (_name, stops, quiet, missed) => {
    const sender = await Sender.with({ instance_id: `i-stop-${count + 1}` });
    const instanceId = `i-stop-${count}`;
    await sender.send({ instanceId });
    await sender.passes(quiet);
    for (const [stoppedAgo, startedAgo] of stops) await stop(instanceId, stoppedAgo, startedAgo);
    await sender.send({ instanceId });
    expect(await sender.lease()).toMatchObject({ missed_heartbeats: String(missed) });
  });
});

describe('idleness', () => {
  /** Beats every 30 s for so long. */
  async function idles(sender: Sender, seconds: number): Promise<void> {
    for (let passed = 0; passed < seconds; passed += 30) {
      await sender.passes(30);
      await sender.gpu(2);
    }
  }
  const idleNews = async (sender: Sender) =>
    (await sender.news()).map(({ payload }) => payload.idleSince !== null);

  test('begins with the first idle sample, and is told once it is longer than the warning window', async () => {
    const sender = await Sender.with();
    await sender.gpu(2);
    await idles(sender, 150);
    expect(await idleNews(sender)).toEqual([false]); // The first beat's.
    await idles(sender, 60);
    expect(await idleNews(sender)).toEqual([false, true]);
    const { idle_seconds, idle_reported } = await sender.lease();
    expect(idle_seconds).toBeCloseTo(210, 0);
    expect(idle_reported).toBe(true);
    const told = (await sender.news())[1]!.payload;
    const idleMs = Date.parse(told.receivedAt as string) - Date.parse(told.idleSince as string);
    expect(Math.round(idleMs / 1000)).toBe(180);
    expect((await sender.samples()).map((one) => one.idle)).toEqual(Array(8).fill(true));
  });

  test.each<[string, (sender: Sender) => Promise<unknown>]>([
    ['a busy sample', (sender) => sender.gpu(60)],
    ['a sample at the threshold', (sender) => sender.gpu(5)],
    ['an unknown reading', (sender) => sender.gpu(null)],
    [
      'a gap of more than two intervals',
      async (sender) => {
        await sender.passes(61);
        await sender.gpu(0);
      },
    ],
    ['a goodbye', (sender) => sender.gpu(0, { status: 'offline' })],
    [
      'a policy that watches it no more',
      async (sender) => {
        await sql.query(
          'update instance_standing set idle_threshold_percent = null, idle_warning_seconds = null where agent_id = $1',
          [sender.agentId],
        );
        await sender.gpu(0);
      },
    ],
  ])('%s ends it, which is told once', async (_name, end) => {
    const sender = await Sender.with();
    await sender.gpu(2);
    await idles(sender, 210);
    expect(await idleNews(sender)).toEqual([false, true]);
    await end(sender);
    expect((await sender.news()).slice(2)).toHaveLength(1);
    expect((await sender.news())[2]!.payload.idleSince ?? null).toBeNull();
    expect(await sender.lease()).toMatchObject({ idle_reported: false });
    const { idle_seconds } = await sender.lease();
    expect(idle_seconds ?? 0).toBeLessThan(5); // None, or begun anew.
    await sender.gpu(60);
    const expected = _name === 'a goodbye' ? 4 : 3; // It is back.
    expect(await sender.news()).toHaveLength(expected);
  });

  test('a GPU that flaps around the threshold says nothing', async () => {
    const sender = await Sender.with();
    for (let round = 0; round < 6; round += 1) {
      await sender.passes(30);
      await sender.gpu(round % 2 === 0 ? 4 : 6);
    }
    expect(await sender.news()).toHaveLength(1);
  });

  test('a gap of one missed heartbeat keeps it', async () => {
    const sender = await Sender.with();
    await sender.gpu(2);
    await sender.passes(59);
    await sender.gpu(2);
    expect((await sender.lease()).idle_seconds).toBeCloseTo(59, 0);
  });

  test('other news meanwhile says it again', async () => {
    const sender = await Sender.with();
    await sender.gpu(2);
    await idles(sender, 210);
    await sender.gpu(2, { zone: 'us-east-1b' });
    expect(await idleNews(sender)).toEqual([false, true, true]);
  });

  test('a candidate is watched, but told of only once it is the primary', async () => {
    const sender = await Sender.with({ role: 'candidate', incarnation: 2 });
    await sender.gpu(2);
    await idles(sender, 210);
    expect(await idleNews(sender)).toEqual([false]);
    await sql.query(`update instance_standing set role = 'primary' where agent_id = $1`, [sender.agentId]);
    await idles(sender, 30);
    expect(await idleNews(sender)).toEqual([false, true]);
  });

  test('the standing says how long is left while a warning stands and the machine is still idle', async () => {
    const sender = await Sender.with();
    await sender.gpu(2);
    await sql.query(
      `update instance_standing set hibernation_due_at = now() + interval '100 seconds', hibernation_reason = 'it is idle'
       where agent_id = $1`,
      [sender.agentId],
    );
    const { standing } = await sender.gpu(2);
    expect(standing.warning?.reason).toBe('it is idle');
    expect(standing.warning?.secondsLeft).toBeGreaterThan(95);
    expect(standing.warning?.secondsLeft).toBeLessThanOrEqual(100);
    expect((await sender.gpu(50)).standing.warning).toBeNull();
    await sender.gpu(2);
    await sql.query(
      `update instance_standing set hibernation_due_at = now() - interval '9 seconds' where agent_id = $1`,
      [sender.agentId],
    );
    expect((await sender.gpu(2)).standing.warning?.secondsLeft).toBe(0);
  });
});

test('readings are kept as they came, and what is unknown stays unknown', async () => {
  const sender = await Sender.with();
  const readings: Readings = {
    gpuUtilizationPercent: 87.5,
    vramUsedGb: 18.4,
    cpuUtilizationPercent: 45,
    ramUsedGb: 12,
    diskUsedGb: 45.2,
    costAccumulated: 2.4,
    uptimeSeconds: 7200,
  };
  await sender.send({ readings });
  await sender.send();
  expect(await sender.samples()).toMatchObject([
    {
      gpu_utilization_percent: 87.5,
      vram_used_gb: 18.4,
      cpu_utilization_percent: 45,
      ram_used_gb: 12,
      disk_used_gb: 45.2,
      cost_accumulated: '2.4',
      uptime_seconds: 7200,
      idle: false,
    },
    { gpu_utilization_percent: null, cost_accumulated: null, uptime_seconds: null, idle: null },
  ]);
  expect(await sender.lease()).toMatchObject({ gpu_utilization_percent: null });
});

test('two intakes that store the same instances at once lose no beat and never wait for each other in a circle', async () => {
  const senders: Sender[] = [];
  while (senders.length < 40) senders.push(await Sender.with());
  const second = connectDatabase(database.url, 'spotkeeper_ingest');
  try {
    const beats = senders.map((sender) => sender.beat());
    await storeBeats(db, beats, false);
    await Promise.all(
      Array.from({ length: 30 }, (_, round) =>
        storeBeats(round % 2 === 0 ? db : second, round % 3 === 0 ? beats : [...beats].reverse(), true),
      ),
    );
    for (const sender of senders) {
      expect(await sender.lease()).toMatchObject({ heartbeats: '31', revision: '31' });
      const revisions = (await sender.news()).map(({ payload }) => payload.revision as number);
      expect(revisions.sort((a, b) => a - b)).toEqual(Array.from({ length: 31 }, (_, at) => at + 1));
    }
  } finally {
    await second.destroy();
  }
});
