/** The price book: filled from what the cloud says, each change once, and by a Schedule of the real server. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { NativeConnection, Worker } from '@temporalio/worker';
import { Client } from 'pg';
import { createPriceActivities, type PriceSource } from '../../activities/price-activities';
import { CloudError } from '../../cloud/cloud-error';
import type { PricesRecorded } from '../../contracts/activities';
import { ec2TaskQueue, priceScheduleId } from '../../contracts/ids';
import { connectDatabase, type Db } from '../../db/connect';
import { noteStarted, noteStopped } from '../../db/instance-stops';
import { ensurePriceSchedule } from '../../temporal/price-schedule';
import { createTestDatabase, type TestDatabase } from '../harness/database';
import { seedClient } from '../harness/seed';
import { connectTemporal, uniqueAccount, uniqueTaskQueue } from '../harness/temporal';
import { until } from '../harness/until';
import { installRuntime, WORKFLOW_BUNDLE } from '../harness/workers';

let database: TestDatabase;
let db: Db;
let sql: Client;
const account = uniqueAccount();
const place = { accountId: account, region: 'us-east-1' };

beforeAll(async () => {
  database = await createTestDatabase();
  await seedClient(database.url, 'c1');
  db = connectDatabase(database.url, 'spotkeeper_worker');
  sql = new Client({ connectionString: database.url });
  await sql.connect();
});
afterAll(async () => {
  await sql?.end();
  await db?.destroy();
  await database?.drop();
});
beforeEach(() => sql.query('truncate price_book, price_watch, instances'));

const machine = (id: string, type: string, over: { account?: string; terminatedDaysAgo?: number } = {}) =>
  sql.query(
    `insert into instances (client_id, id, agent_id, instance_type, az, region, account_id, mode, instance_status,
       terminated_at) values ('c1', $1, 'a1', $2, 'us-east-1a', 'us-east-1', $3, 'spot', 'running',
       now() - make_interval(days => $4::int))`,
    [id, type, over.account ?? account, over.terminatedDaysAgo ?? null],
  );

/** A cloud that says what it is given, and remembers what it was asked. */
class Market implements PriceSource {
  spot: { zone: string; priceUsdPerHour: string; at: string }[] = [];
  onDemand: string | null = null;
  failing: Error | null = null;
  readonly asked: string[] = [];
  readonly from: Date[] = [];

  spotPriceHistory({ instanceType, from }: { instanceType: string; from: Date }) {
    this.asked.push(instanceType);
    this.from.push(from);
    return Promise.resolve(this.spot);
  }

  onDemandPrice(instanceType: string) {
    this.asked.push(`${instanceType} on demand`);
    return this.failing ? Promise.reject(this.failing) : Promise.resolve(this.onDemand);
  }
}

const record = (prices: PriceSource) =>
  new MockActivityEnvironment().run(
    createPriceActivities({ prices, db }).recordPrices,
    place,
  ) as Promise<PricesRecorded>;

const book = async () =>
  (
    await sql.query<{ zone: string; held_from: Date; usd_per_hour: string }>(
      'select zone, held_from, usd_per_hour from price_book order by zone, held_from',
    )
  ).rows.map((row) => `${row.zone || 'region'} ${row.held_from.toISOString()} ${row.usd_per_hour}`);

const hoursAgo = (hours: number) => new Date(Date.now() - hours * 3_600_000).toISOString();

it('notes each change of a price once, to the last digit', async () => {
  await machine('i-1', 'p3.2xlarge');
  const market = new Market();
  const [early, late] = [hoursAgo(20), hoursAgo(1)];
  market.spot = [
    { zone: 'us-east-1a', priceUsdPerHour: '0.918000', at: early },
    { zone: 'us-east-1b', priceUsdPerHour: '0.100000000000000001', at: early },
    { zone: 'us-east-1a', priceUsdPerHour: '1.1', at: late },
  ];
  market.onDemand = '3.06';
  expect(await record(market)).toEqual({ types: 1, prices: 4, failures: [] });
  const written = [
    'region 1970-01-01T00:00:00.000Z 3.06',
    `us-east-1a ${early} 0.918000`,
    `us-east-1a ${late} 1.1`,
    `us-east-1b ${early} 0.100000000000000001`,
  ];
  expect(await book()).toEqual(written);
  expect(await record(market)).toEqual({ types: 1, prices: 0, failures: [] });
  expect(await book()).toEqual(written);
});

it('asks for types in use only, from where it last was, and on demand twice a day', async () => {
  await machine('i-1', 'p3.2xlarge');
  await machine('i-2', 'p3.2xlarge');
  await machine('i-3', 'g5.xlarge', { terminatedDaysAgo: 2 });
  await machine('i-4', 'c5.large', { account: '999999999999' });
  const market = new Market();
  await record(market);
  await record(market);
  expect(market.asked).toEqual(['p3.2xlarge', 'p3.2xlarge on demand', 'p3.2xlarge']);
  const [first, second] = market.from as [Date, Date];
  expect(first.toISOString()).toMatch(/T00:00:00.000Z$/);
  expect(Date.now() - second.getTime()).toBeLessThan(3_700_000);
});

it('a first on-demand price held before; a changed one holds from when it was seen', async () => {
  await machine('i-1', 'p3.2xlarge');
  const market = new Market();
  market.onDemand = '3.06';
  await record(market);
  await sql.query(`update price_watch set ondemand_at = now() - interval '1 day'`);
  market.onDemand = '3.00';
  await record(market);
  expect(await book()).toEqual([
    'region 1970-01-01T00:00:00.000Z 3.06',
    expect.stringMatching(/^region 20.* 3\.00$/),
  ]);
});

it('takes what a cloud with a clock ahead of ours says as of now', async () => {
  await machine('i-1', 'p3.2xlarge');
  const market = new Market();
  market.spot = [
    { zone: 'us-east-1a', priceUsdPerHour: '1', at: hoursAgo(-1) },
    { zone: 'us-east-1a', priceUsdPerHour: '2', at: hoursAgo(-2) },
  ];
  await record(market);
  const { rows } = await sql.query('select usd_per_hour, held_from <= now() as past from price_book');
  expect(rows).toEqual([{ usd_per_hour: '2', past: true }]);
});

it("goes on when one price can't be had, and fails when none can", async () => {
  await machine('i-1', 'p3.2xlarge');
  const market = new Market();
  market.spot = [{ zone: 'us-east-1a', priceUsdPerHour: '1', at: hoursAgo(1) }];
  market.failing = new CloudError({ kind: 'not_permitted', code: 'AccessDenied' }, 'Pricing refused.');
  expect(await record(market)).toEqual({
    types: 1,
    prices: 1,
    failures: ['the on-demand price of p3.2xlarge: Pricing refused.'],
  });
  market.spotPriceHistory = () =>
    Promise.reject(new CloudError({ kind: 'throttled', code: 'RequestLimitExceeded' }, 'Asked too often.'));
  await expect(record(market)).rejects.toMatchObject({ type: 'Throttled' });
});

it('a stop and a start are noted once each', async () => {
  await noteStopped(db, 'c1', 'i-1');
  await noteStopped(db, 'c1', 'i-1');
  const open = async () =>
    (await sql.query('select started_at is null as open from instance_stops order by stopped_at')).rows;
  expect(await open()).toEqual([{ open: true }]);
  await noteStarted(db, 'c1', 'i-1');
  await noteStarted(db, 'c1', 'i-1');
  await noteStopped(db, 'c1', 'i-1');
  expect(await open()).toEqual([{ open: false }, { open: true }]);
});

it('a Schedule looks at once, and is there only once', async () => {
  await machine('i-1', 'p3.2xlarge');
  installRuntime();
  const { client, address, close } = await connectTemporal();
  const connection = await NativeConnection.connect({ address });
  const market = new Market();
  market.spot = [{ zone: 'us-east-1a', priceUsdPerHour: '1', at: hoursAgo(1) }];
  const taskQueue = uniqueTaskQueue();
  const workers = await Promise.all([
    Worker.create({ connection, taskQueue, workflowBundle: WORKFLOW_BUNDLE }),
    Worker.create({
      connection,
      taskQueue: ec2TaskQueue(account, place.region),
      activities: createPriceActivities({ prices: market, db }),
    }),
  ]);
  const running = Promise.all(workers.map((worker) => worker.run()));
  const handle = client.schedule.getHandle(priceScheduleId(account, place.region));
  try {
    await ensurePriceSchedule(client, { ...place, taskQueue });
    await until('a price is in the book', async () => (await book()).length === 1, 20_000);
    await handle.pause();
    await ensurePriceSchedule(client, { ...place, taskQueue: 'another' });
    const described = await handle.describe();
    expect(described.state.paused).toBe(true); // as a person left it
    expect(described.action).toMatchObject({ taskQueue: 'another', workflowType: 'priceWatchWorkflow' });
  } finally {
    await handle.delete();
    for (const worker of workers) worker.shutdown();
    await running;
    await connection.close();
    await close();
  }
});
