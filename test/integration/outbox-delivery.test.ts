/** Delivery from the outbox: who is tried, how many at once, what a failure holds back, and what an outage leaves. */
import { Client } from 'pg';
import type { DeliveryOutcome, StoredSignal } from '../../contracts/outbox';
import { connectDatabase, type Db } from '../../db/connect';
import { addToOutbox, drainOutbox, readOutbox } from '../../db/outbox';
import { compactOutbox, removeUndeliverable } from '../../db/outbox-compaction';
import type { AgentEvent } from '../../workflows/agent-transitions';
import { iso, running as runningAgent, T0, type Subject } from '../harness/agent-subject';
import { createTestDatabase, type TestDatabase } from '../harness/database';
import { instanceFacts } from '../harness/instance-facts';

let database: TestDatabase;
let db: Db;
let sql: Client;

beforeAll(async () => {
  database = await createTestDatabase();
  db = connectDatabase(database.url, 'spotkeeper_worker');
  sql = new Client({ connectionString: database.url });
  await sql.connect();
});
afterAll(async () => {
  await sql?.end();
  await db?.destroy();
  await database?.drop();
});
beforeEach(() => sql.query('truncate outbox'));

const DELIVERED: DeliveryOutcome = { result: 'delivered' };
const FAILED: DeliveryOutcome = { result: 'failed', reason: 'of the test' };

const add = (workflowId: string, signal: string, payload: Record<string, unknown> = {}) =>
  addToOutbox(db, [{ clientId: 'c1', workflowId, signal, payload }]);
const left = async () =>
  (await sql.query<{ workflow_id: string; signal: string }>('select * from outbox order by id')).rows;

/** Fills the outbox with one signal for each of so many workflows. */
const fill = (count: number) =>
  sql.query(
    `insert into outbox (client_id, workflow_id, signal, payload)
     select 'c1', 'w' || n, 'heartbeat', jsonb_build_object('n', n) from generate_series(1, $1) n`,
    [count],
  );

test('many workflows are delivered side by side, and never more at once than asked for', async () => {
  await fill(1_000);
  let underWay = 0;
  let most = 0;
  const send = async () => {
    most = Math.max(most, (underWay += 1));
    await new Promise((resolve) => setImmediate(resolve));
    underWay -= 1;
    return DELIVERED;
  };
  expect(await drainOutbox(db, send, { atOnce: 8 })).toEqual({ delivered: 1_000, failed: 0 });
  expect(most).toBe(8);
  expect(await left()).toEqual([]);
});

test('while nobody answers, one is tried and the rest left alone', async () => {
  await fill(500);
  let attempts = 0;
  const send = () => {
    attempts += 1;
    return Promise.resolve(FAILED);
  };
  for (let round = 1; round <= 3; round += 1) {
    expect(await drainOutbox(db, send)).toEqual({ delivered: 0, failed: 1 });
    expect(attempts).toBe(round);
  }
  const { rows } = await sql.query('select count(*)::int as n from outbox where attempts > 0');
  expect(rows).toEqual([{ n: 3 }]); // Another each time.
});

test('a workflow that can not be told holds back only what is for it', async () => {
  await add('stuck', 'heartbeat', { n: 1 });
  await fill(300);
  await add('stuck', 'heartbeat', { n: 2 });
  const heard: string[] = [];
  const send = ({ workflowId }: StoredSignal) => {
    if (workflowId === 'stuck') return Promise.resolve(FAILED);
    heard.push(workflowId);
    return Promise.resolve(DELIVERED);
  };
  await drainOutbox(db, send); // The stuck one is the oldest, so it is the one that shows whether anybody is there.
  await drainOutbox(db, send);
  expect(heard).toHaveLength(300);
  expect((await left()).map((row) => row.workflow_id)).toEqual(['stuck', 'stuck']);
  await sql.query('update outbox set retry_at = now()');
  const order: unknown[] = [];
  await drainOutbox(db, ({ payload }) => {
    order.push(payload.n);
    return Promise.resolve(DELIVERED);
  });
  expect(order).toEqual([1, 2]);
});

test('notices go before heartbeats, but never before what their own workflow should hear first', async () => {
  await fill(50);
  await add('noticed', 'heartbeat');
  await add('urgent', 'terminationNotice');
  await add('noticed', 'terminationNotice');
  const heard: string[] = [];
  await drainOutbox(
    db,
    ({ workflowId, signal }) => {
      heard.push(`${workflowId} ${signal}`);
      return Promise.resolve(DELIVERED);
    },
    { atOnce: 1 },
  );
  expect(heard[0]).toBe('urgent terminationNotice');
  expect(heard.filter((one) => one.startsWith('noticed'))).toEqual([
    'noticed heartbeat',
    'noticed terminationNotice',
  ]);
});

test('what can not be delivered is seen for a week, and then removed', async () => {
  await add('gone', 'heartbeat');
  await add('there', 'heartbeat');
  const send = ({ workflowId }: StoredSignal): Promise<DeliveryOutcome> =>
    Promise.resolve(
      workflowId === 'gone' ? { result: 'undeliverable', reason: 'workflow not found' } : DELIVERED,
    );
  await drainOutbox(db, send);
  await add('waiting', 'heartbeat');
  await sql.query(`update outbox set created_at = now() - interval '90 s' where workflow_id = 'waiting'`);
  const figures = await readOutbox(db);
  expect(figures).toMatchObject({ waiting: 1, undeliverable: 1 });
  expect(figures.oldestSeconds).toBeGreaterThanOrEqual(90);
  expect(await removeUndeliverable(db)).toBe(0);
  await sql.query(`update outbox set created_at = now() - interval '8 days' where undeliverable`);
  expect(await removeUndeliverable(db)).toBe(1);
  expect((await left()).map((row) => row.workflow_id)).toEqual(['waiting']);
});

describe('compaction', () => {
  const beat = (revision: number, instanceId = 'i-1') => ['heartbeat', { instanceId, revision }] as const;
  const lost = (revision: number, instanceId = 'i-1') => ['heartbeatLost', { instanceId, revision }] as const;
  const goodbye = (revision: number, instanceId: string | null = 'i-1') =>
    ['goneOffline', { instanceId, revision }] as const;
  const other = ['terminationNotice', {}] as const;

  test.each<[string, (readonly [string, Record<string, unknown>])[], number[]]>([
    ['heartbeats', [beat(1), beat(2), beat(3)], [2]],
    ['a heartbeat after it was lost', [beat(1), lost(2), beat(3)], [2]],
    ['a heartbeat and its loss', [beat(1), lost(2)], [0, 1]],
    ['losses and returns', [lost(1), beat(2), lost(3), beat(4), lost(5)], [3, 4]],
    ['a goodbye last', [beat(1), beat(2), goodbye(3)], [1, 2]],
    ['another signal between', [beat(1), beat(2), other, beat(3), beat(4)], [1, 2, 4]],
    ['two instances', [beat(1), beat(1, 'i-2'), beat(2), beat(2, 'i-2')], [2, 3]],
    ['a goodbye of nobody', [beat(1), goodbye(2, null), beat(3)], [0, 1, 2]],
    ['no heartbeat at all', [lost(1), goodbye(2)], [0, 1]],
  ])('of %s', async (_name, signals, kept) => {
    for (const [signal, payload] of signals) await add('w', signal, payload);
    const { rows: before } = await sql.query<{ id: string }>('select id from outbox order by id');
    expect(await compactOutbox(db, 60)).toBe(0); // It isn't waiting for long yet.
    await compactOutbox(db, 0);
    const { rows: after } = await sql.query<{ id: string }>('select id from outbox order by id');
    expect(after.map((row) => row.id)).toEqual(kept.map((index) => before[index]!.id));
  });

  test('leaves one alone that is on its way', async () => {
    for (const revision of [1, 2]) await add('w', ...beat(revision));
    await sql.query('begin; select from outbox order by id limit 1 for update');
    expect(await compactOutbox(db, 0)).toBe(0);
    await sql.query('commit');
    expect(await compactOutbox(db, 0)).toBe(1);
  });

  test('days of coming and going leave three rows an instance at most', async () => {
    await sql.query(
      `insert into outbox (client_id, workflow_id, signal, payload, created_at)
       select 'c1', 'w' || agent, (array['heartbeat', 'heartbeatLost', 'goneOffline'])[1 + floor(random() * 3)],
         jsonb_build_object('instanceId', 'i-' || agent, 'revision', n), now() - interval '1 day'
       from generate_series(1, 200) n, generate_series(1, 100) agent order by n`,
    );
    expect(await compactOutbox(db)).toBeGreaterThan(19_000);
    const { rows } = await sql.query<{ n: number }>(
      `select max(n)::int as n from (select count(*) as n from outbox
         where signal = 'heartbeat' group by workflow_id) as counts`,
    );
    expect(rows).toEqual([{ n: 1 }]);
  });

  /**
   * What is left out changes nothing of what the agent becomes: random stretches of news are given to the agent's own
   * rules whole and compacted.
   */
  test('loses nothing that the agent would act on', async () => {
    let seed = 20_260_301;
    const random = (below: number) => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) % below;
    const stories = Array.from({ length: 150 }, (_, story) => ({
      story,
      start: random(5),
      signals: Array.from({ length: 1 + random(12) }, (_signal, at) => randomSignal(random, at + 10)),
    }));
    for (const { story, signals } of stories) {
      for (const { signal, message } of signals) await add(`story ${story}`, signal, message);
    }
    expect(await compactOutbox(db, 0)).toBeGreaterThan(100);
    const { rows } = await sql.query<{ workflow_id: string; signal: string; payload: never }>(
      'select workflow_id, signal, payload from outbox order by id',
    );
    for (const { story, start, signals } of stories) {
      const whole = tell(agentIn(start), signals);
      const kept = rows
        .filter((row) => row.workflow_id === `story ${story}`)
        .map(({ signal, payload }) => ({ signal, message: payload }));
      expect({ story, start, signals, is: tell(agentIn(start), kept) }).toEqual({
        story,
        start,
        signals,
        is: whole,
      });
    }
  });
});

interface Told {
  signal: string;
  message: never;
}

function randomSignal(random: (below: number) => number, revision: number): Told {
  const receivedAt = iso(T0 + revision * 1_000);
  const instanceId = 'i-1';
  const kind = random(10);
  const told = (signal: string, message: object) => ({ signal, message: message as never });
  if (kind < 5) {
    const health = random(3) === 0 ? 'unhealthy' : 'healthy';
    const idleSince = random(3) === 0 ? iso(T0) : null;
    return told('heartbeat', { instanceId, revision, health, mode: null, zone: null, idleSince, receivedAt });
  }
  if (kind < 7) {
    const massSilence = random(2) === 0;
    return told('heartbeatLost', { instanceId, revision, lastHeartbeatAt: receivedAt, massSilence });
  }
  if (kind < 9) return told('goneOffline', { instanceId, revision, receivedAt });
  if (random(3) === 0) return told('massSilenceLookedInto', { at: receivedAt });
  return told('keepAlive', { minutes: 1 + random(100) });
}

/** Online, silent, orphaned, offline, or being hibernated for its silence. */
function agentIn(start: number): Subject {
  const subject = runningAgent();
  if (start === 1 || start === 2 || start === 4) subject.lose('running');
  if (start === 2) subject.after(400);
  if (start === 4) subject.after(400).after(1_900);
  if (start === 3) subject.goodbye();
  return subject;
}

/** All at once, as after an outage; then EC2 says that the machine runs, to whoever asked. */
function tell(subject: Subject, signals: readonly Told[]): object {
  const asked: number[] = [];
  let cancelled = false;
  const take = (event: AgentEvent) => {
    subject.on(event, 0);
    cancelled ||= subject.kinds().includes('cancelHibernation');
    if (subject.kinds().includes('lookUpInstance')) asked.push(subject.state.leaseRevisions['i-1'] ?? 0);
  };
  for (const { signal, message } of signals) {
    take(
      signal === 'keepAlive'
        ? { kind: 'keepAlive', minutes: (message as { minutes: number }).minutes }
        : ({ kind: signal, message } as unknown as AgentEvent),
    );
  }
  for (const askedRevision of asked) {
    const facts = instanceFacts('i-1');
    take({ kind: 'instanceSighted', facts, sighting: 'running', message: 'running', askedRevision });
  }
  const { status, health, silentSinceMs, silence, idleness, keepAliveUntilMs, hibernation } = subject.state;
  const { primary, lastHeartbeatMs, leaseRevisions, goodbyeHeld, lost } = subject.state;
  return {
    ...{ status, health, silentSinceMs, silence, idleness, keepAliveUntilMs, goodbyeHeld, hibernation },
    ...{ primary, lastHeartbeatMs, leaseRevisions, cancelled, lost },
  };
}
