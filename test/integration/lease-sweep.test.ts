/** Leases that ran out become news once; after a pause of our own they are extended instead. */
import { Client } from 'pg';
import { connectDatabase, type Db } from '../../db/connect';
import { signIntake, sweepLeases } from '../../db/lease-sweep';
import { createTestDatabase, type TestDatabase } from '../harness/database';
import { seedClient } from '../harness/seed';

let database: TestDatabase;
let db: Db;
let sql: Client;

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
beforeEach(async () => {
  await sql.query(
    'truncate leases, instance_standing, outbox, sweep_runs, system_events, agents, mass_silences cascade',
  );
  await signIntake(db);
});

async function lease(agentId: string, secondsLeft: number, role = 'primary', state = 'live'): Promise<void> {
  await sql.query(
    `insert into instance_standing (agent_id, instance_id, client_id, role, incarnation, current_incarnation,
       heartbeat_interval_seconds, revision) values ($1, 'i-' || $1, 'c1', $2, 1, 1, 30, 1)`,
    [agentId, role],
  );
  await sql.query(
    `insert into leases (agent_id, instance_id, client_id, revision, state, health, heartbeats, first_heartbeat_at,
       last_heartbeat_at, lease_until) values ($1, 'i-' || $1, 'c1', 7, $3, 'healthy', 1, now() - interval '1 hour',
       now() - interval '90 seconds', now() + make_interval(secs => $2))`,
    [agentId, secondsLeft, state],
  );
}

/** As if a sweep had just been. */
const sweptLately = () => sql.query(`insert into sweep_runs values ('leases', now())`);

it('puts a lease that ran out into the outbox once, with a revision that rises', async () => {
  await sweptLately();
  await lease('over', -1);
  await lease('running', 60);
  expect(await sweepLeases(db, 15)).toEqual({ swept: true, extended: 0, lost: 1 });
  expect(await sweepLeases(db, 15)).toEqual({ swept: true, extended: 0, lost: 0 });
  const { rows } = await sql.query('select workflow_id, signal, payload from outbox');
  expect(rows).toEqual([
    {
      workflow_id: 'agent:over',
      signal: 'heartbeatLost',
      payload: { instanceId: 'i-over', revision: 8, lastHeartbeatAt: expect.stringMatching(/^\d{4}-.*Z$/) },
    },
  ]);
});

it.each([
  ['a superseded instance', 'superseded', 'live'],
  ['a candidate', 'candidate', 'live'],
  ['an agent that said goodbye', 'primary', 'offline'],
])('leaves the lease of %s alone', async (_, role, state) => {
  await sweptLately();
  await lease('left', -1, role, state);
  expect(await sweepLeases(db, 15)).toMatchObject({ lost: 0 });
});

it('extends every lease once after a pause, by a whole lease, and ends those that stay silent', async () => {
  await sql.query(`insert into sweep_runs values ('leases', now() - interval '1 minute')`);
  await lease('paused', -50);
  expect(await sweepLeases(db, 15)).toEqual({ swept: true, extended: 1, lost: 0 });
  const { rows } = await sql.query(`select extract(epoch from lease_until - now())::int as left from leases`);
  expect(rows[0].left).toBeGreaterThanOrEqual(88);
  await sql.query(`update leases set lease_until = now() - interval '1 second'`);
  expect(await sweepLeases(db, 15)).toEqual({ swept: true, extended: 0, lost: 1 });
});

it('treats the very first sweep as one after a pause', async () => {
  await lease('first', -1);
  expect(await sweepLeases(db, 15)).toMatchObject({ extended: 1, lost: 0 });
});

it('leaves the sweep to the worker that has the lock', async () => {
  await sweptLately();
  await lease('locked', -1);
  await sql.query('begin; select pg_advisory_xact_lock(7351001)');
  expect(await sweepLeases(db, 15)).toEqual({ swept: false, extended: 0, lost: 0 });
  await sql.query('commit');
  expect(await sweepLeases(db, 15)).toMatchObject({ lost: 1 });
});

describe('while no intake can store a heartbeat', () => {
  const signed = (seconds: number) =>
    sql.query(`update sweep_runs set last_run_at = now() - make_interval(secs => $1) where name = 'intake'`, [
      seconds,
    ]);

  it('ends no lease, and extends all of them once when one can again', async () => {
    await sweptLately();
    await lease('one', -1);
    await lease('two', -400);
    await signed(6);
    expect(await sweepLeases(db, 15)).toEqual({ swept: false, extended: 0, lost: 0 });
    // Five minutes in which every sweep finds the same.
    await sql.query(`update sweep_runs set last_run_at = now() - interval '5 minutes'`);
    expect(await sweepLeases(db, 15)).toEqual({ swept: false, extended: 0, lost: 0 });
    await signIntake(db);
    expect(await sweepLeases(db, 15)).toEqual({ swept: true, extended: 2, lost: 0 });
    expect(await sweepLeases(db, 15)).toEqual({ swept: true, extended: 0, lost: 0 });
    await sql.query(`update leases set lease_until = now() - interval '1 second'`);
    expect(await sweepLeases(db, 15)).toEqual({ swept: true, extended: 0, lost: 2 });
  });

  it('tells every client once that it is away for a minute, and once that it is back, of each outage', async () => {
    const told = async () => {
      const { rows } = await sql.query(
        `select event_type, severity, count(*)::int / (select count(*) from clients)::int as times from system_events
         where event_type like 'intake%' group by 1, 2 order by 1`,
      );
      return rows;
    };
    const away = { event_type: 'intake_away', severity: 'critical', times: 1 };
    const back = { event_type: 'intake_back', severity: 'info', times: 1 };
    await sweptLately();
    await signed(55);
    await sweepLeases(db, 15);
    expect(await told()).toEqual([]);
    await signed(61);
    await sweepLeases(db, 15);
    await sweepLeases(db, 15);
    expect(await told()).toEqual([away]);
    for (let sweep = 0; sweep < 2; sweep += 1) {
      await signIntake(db);
      await sweepLeases(db, 15);
    }
    expect(await told()).toEqual([away, back]);
    await sql.query(
      `update sweep_runs set last_run_at = last_run_at - interval '1 hour' where name like 'intake_%'`,
    );
    await signed(61);
    await sweepLeases(db, 15);
    expect(await told()).toEqual([{ ...away, times: 2 }, back]);
  });

  it('takes a system whose intake never was for one whose intake is away', async () => {
    await sweptLately();
    await lease('never', -1);
    await sql.query(`delete from sweep_runs where name = 'intake'`);
    expect(await sweepLeases(db, 15)).toMatchObject({ swept: false, lost: 0 });
  });

  it('takes a sign of the intake that may sign, and no earlier one for a later', async () => {
    const ingest = connectDatabase(database.url, 'spotkeeper_ingest');
    try {
      await signed(60);
      await signIntake(ingest);
      const { rows } = await sql.query(`select now() - last_run_at < interval '2 seconds' as now
        from sweep_runs where name = 'intake'`);
      expect(rows).toEqual([{ now: true }]);
    } finally {
      await ingest.destroy();
    }
  });
});

describe('mass silence', () => {
  beforeEach(sweptLately);

  /** `ago` is when it was heard last; the interval is 30 s, the lease three of them. */
  const agent = async (id: string, ago: number, options: { client?: string; status?: string } = {}) => {
    const client = options.client ?? 'c1';
    await lease(id, 90 - ago);
    await sql.query(
      `update leases set last_heartbeat_at = now() - make_interval(secs => $2), client_id = $3 where agent_id = $1`,
      [id, ago, client],
    );
    await sql.query('update instance_standing set client_id = $2 where agent_id = $1', [id, client]);
    if (!options.status) return;
    await sql.query(
      `insert into agents (id, client_id, logical_agent_id, status, health, incarnation, terminate_wait_seconds, revision)
       values ($1, $2, $1, $3, 'healthy', 1, 300, 1) on conflict do nothing`,
      [id, client, options.status],
    );
  };
  const many = async (count: number, ago: number, name = `ago-${ago}`) => {
    for (let number = 0; number < count; number += 1) await agent(`${name}-${number}`, ago);
  };
  const flags = async () =>
    (
      await sql.query<{ mass: boolean; n: number }>(
        `select coalesce((payload ->> 'massSilence')::boolean, false) as mass, count(*)::int as n
         from outbox group by mass order by mass`,
      )
    ).rows;
  const events = async () =>
    (await sql.query(`select client_id, severity, event_type, agent_id, details from system_events`)).rows;

  it('is when over half of ten agents or more are lost or late: their news say so, and one event does', async () => {
    await many(6, 95);
    await many(4, 5);
    expect(await sweepLeases(db, 15)).toMatchObject({ lost: 6 });
    expect(await flags()).toEqual([{ mass: true, n: 6 }]);
    expect(await events()).toEqual([
      {
        client_id: 'c1',
        severity: 'critical',
        event_type: 'mass_silence',
        agent_id: null,
        details: { agents: 10, agents_late_or_silent: 6 },
      },
    ]);
  });

  it('is seen at the first lease to end, though the others end one after the other over an interval', async () => {
    // All stopped at one moment, each at another point of its interval.
    for (let number = 0; number < 20; number += 1) await agent(`spread-${number}`, 61 + number * 1.5);
    let swept = 0;
    for (let round = 0; round < 12; round += 1) {
      swept += (await sweepLeases(db, 15)).lost;
      await sql.query(`update leases set lease_until = lease_until - interval '5 seconds',
        last_heartbeat_at = last_heartbeat_at - interval '5 seconds'`);
    }
    expect(swept).toBe(20);
    expect(await flags()).toEqual([{ mass: true, n: 20 }]);
    expect(await events()).toHaveLength(1);
  });

  it.each<[string, () => Promise<void>]>([
    [
      'half of them',
      async () => {
        await many(5, 95);
        await many(5, 5);
      },
    ],
    ['nine agents', () => many(9, 95)],
    [
      'some that fall silent by themselves, long after others did',
      async () => {
        await many(20, 5_000);
        await sql.query(`update leases set state = 'silent'`);
        await many(3, 95);
        await many(8, 5);
      },
    ],
  ])('is not: %s', async (_name, given) => {
    await given();
    expect((await sweepLeases(db, 15)).lost).toBeGreaterThan(0);
    expect((await flags()).map((row) => row.mass)).toEqual([false]);
    expect(await events()).toEqual([]);
  });

  it('counts those heard lately only: agents that are long silent or at rest hide nothing', async () => {
    await many(40, 5_000);
    await sql.query(`update leases set state = 'silent'`);
    for (let number = 0; number < 30; number += 1) {
      await agent(`rest-${number}`, 5, { status: 'hibernated' });
    }
    await many(8, 95);
    await many(4, 5);
    await sweepLeases(db, 15);
    expect(await flags()).toEqual([{ mass: true, n: 8 }]);
  });

  it('is no alarm when agents that were put to rest together stop sending', async () => {
    for (let number = 0; number < 12; number += 1) {
      await agent(`put-${number}`, 95, { status: 'hibernating' });
    }
    await many(5, 5);
    await agent('alone', 95);
    await sweepLeases(db, 15);
    expect(await events()).toEqual([]);
  });

  it("is one client's, not its neighbour's", async () => {
    await seedClient(database.url, 'c2');
    await many(12, 95);
    for (let number = 0; number < 12; number += 1) {
      await agent(`other-${number}`, number < 2 ? 95 : 5, { client: 'c2' });
    }
    await sweepLeases(db, 15);
    expect((await events()).map((event) => (event as { client_id: string }).client_id)).toEqual(['c1']);
    expect(await flags()).toEqual([
      { mass: false, n: 2 },
      { mass: true, n: 12 },
    ]);
  });

  const silences = async () =>
    (
      await sql.query<Record<string, unknown>>(
        'select client_id, agents, silent_agents, closed_at is null as open, closed_by from mass_silences order by id',
      )
    ).rows;

  it('is open until all of its agents are heard again', async () => {
    await many(8, 95);
    await many(4, 5);
    await sweepLeases(db, 15);
    await sweepLeases(db, 15);
    expect(await silences()).toEqual([
      { client_id: 'c1', agents: 12, silent_agents: 8, open: true, closed_by: null },
    ]);
    await sql.query(`update leases set state = 'live', lease_until = now() + interval '1 minute', last_heartbeat_at = now()
      where agent_id <> 'ago-95-0'`);
    // Five minutes later one that falls silent by itself is none of it.
    await sql.query(
      `update mass_silences set began_at = now() - interval '5 minutes', last_lost_at = now() - interval '5 minutes'`,
    );
    await sql.query(
      `update leases set lease_until = now() - interval '301 seconds' where agent_id = 'ago-95-0'`,
    );
    await sql.query(`update leases set lease_until = now() - interval '1 second' where agent_id = 'ago-5-0'`);
    expect((await sweepLeases(db, 15)).lost).toBe(1);
    expect(await silences()).toMatchObject([{ open: true }]);
    await sql.query(`update leases set state = 'live', lease_until = now() + interval '1 minute', last_heartbeat_at = now()
      where agent_id = 'ago-95-0'`);
    await sql.query('truncate outbox');
    await agent('unheard', 5, { status: 'orphaned' });
    await sweepLeases(db, 15);
    expect(await silences()).toMatchObject([{ open: false, closed_by: null }]);
    // Whoever holds still is told, lest it holds for ever.
    const { rows } = await sql.query('select workflow_id, signal from outbox');
    expect(rows).toEqual([{ workflow_id: 'agent:unheard', signal: 'massSilenceLookedInto' }]);
  });

  it('takes in those that fell silent moments before it was one', async () => {
    await many(5, 100, 'early');
    await many(5, 5, 'late');
    await sweepLeases(db, 15);
    expect(await flags()).toEqual([{ mass: false, n: 5 }]);
    await sql.query(
      `update leases set lease_until = now() - interval '1 second', last_heartbeat_at = now() - interval '91 seconds'
       where agent_id like 'late%'`,
    );
    await sweepLeases(db, 15);
    expect(await flags()).toEqual([
      { mass: false, n: 5 },
      { mass: true, n: 10 },
    ]);
    const { rows } = await sql.query(
      `select workflow_id, array_agg((payload ->> 'revision')::int order by id) as revisions from outbox
       where workflow_id like '%early%' group by 1 limit 1`,
    );
    expect(rows).toMatchObject([{ revisions: [8, 9] }]);
  });

  it('that a person has looked into is opened, and told, anew by the next', async () => {
    await many(12, 95);
    await sweepLeases(db, 15);
    await sql.query(`update mass_silences set closed_at = now(), closed_by = 'a person', note = 'x'`);
    await many(12, 95, 'more');
    await sweepLeases(db, 15);
    expect(await silences()).toMatchObject([{ open: false }, { open: true }]);
    expect(await events()).toHaveLength(2);
  });

  it('is told again when it happens again later', async () => {
    await many(12, 95);
    await sweepLeases(db, 15);
    await many(12, 95, 'more');
    await sweepLeases(db, 15);
    expect(await events()).toHaveLength(1);
    await sql.query(`update sweep_runs set last_run_at = now() - interval '1 hour' where name like 'mass%'`);
    await many(30, 95, 'again');
    await sweepLeases(db, 15);
    expect(await events()).toHaveLength(2);
  });

  describe('of the whole system', () => {
    /** Clients of one agent each: none of them has enough agents for a mass silence of its own. */
    const small = async (count: number, ago: number, name = `small-${ago}`) => {
      for (let number = 0; number < count; number += 1) {
        const client = `${name}-${number}`;
        await seedClient(database.url, client);
        await agent(`of-${client}`, ago, { client });
      }
    };
    const told = async () => {
      const { rows } = await sql.query(`select event_key, client_id, severity, details from system_events
        where event_type = 'mass_silence' order by client_id`);
      return rows;
    };
    const lookedInto = async () =>
      (await sql.query(`select workflow_id from outbox where signal = 'massSilenceLookedInto'`)).rows.length;

    it('is when over half of all agents are, whosever they are: one is open, and every client is told once', async () => {
      await small(8, 95);
      await small(4, 5);
      expect(await sweepLeases(db, 15)).toMatchObject({ lost: 8 });
      expect(await flags()).toEqual([{ mass: true, n: 8 }]);
      await sweepLeases(db, 15);
      expect(await silences()).toEqual([
        { client_id: null, agents: 12, silent_agents: 8, open: true, closed_by: null },
      ]);
      const { rows } = await sql.query('select count(*)::int as n from clients');
      const events = await told();
      expect(events).toHaveLength(rows[0].n);
      expect(events[0]).toMatchObject({ severity: 'critical', details: { scope: 'system' } });
    });

    it('is when a large client and the few agents of small ones are lost together', async () => {
      await many(20, 95);
      await small(3, 95, 'few');
      await sweepLeases(db, 15);
      expect(await silences()).toMatchObject([{ client_id: null, agents: 23 }]);
      expect(await flags()).toEqual([{ mass: true, n: 23 }]);
    });

    it.each<[string, () => Promise<void>, (string | null)[]]>([
      ['nine agents are lost', () => small(9, 95, 'nine'), []],
      [
        'half of them are',
        async () => {
          await small(6, 95);
          await small(6, 5);
        },
        [],
      ],
      [
        'one client alone explains it',
        async () => {
          await many(20, 95);
          await small(1, 95, 'one');
          await small(3, 5);
        },
        ['c1'],
      ],
    ])('is not when %s', async (_, given, open) => {
      await given();
      expect((await sweepLeases(db, 15)).lost).toBeGreaterThan(0);
      expect((await silences()).map((one) => one['client_id'])).toEqual(open);
    });

    it('tells its agents once that an administrator has looked into it', async () => {
      await small(12, 95, 'told');
      await sweepLeases(db, 15);
      await sql.query(`update mass_silences set closed_at = now(), closed_by = 'a person', note = 'x'`);
      await sweepLeases(db, 15);
      await sweepLeases(db, 15);
      expect(await lookedInto()).toBe(12);
    });

    it('ends by itself when all are heard again, and lets go of whoever no other one holds', async () => {
      await small(12, 95, 'told');
      await sweepLeases(db, 15);
      await sql.query(
        `update leases set state = 'live', lease_until = now() + interval '1 minute', last_heartbeat_at = now()`,
      );
      await agent('unheard', 5, { status: 'orphaned' });
      await agent('held', 5, { status: 'orphaned', client: 'told-1' });
      await sql.query(
        `update leases set state = 'silent', lease_until = now() - interval '1 second' where agent_id = 'held'`,
      );
      await sql.query(`update mass_silences set last_lost_at = now() - interval '1 minute'`);
      await sql.query(
        `insert into mass_silences (client_id, agents, silent_agents) values ('told-1', 10, 9)`,
      );
      await sweepLeases(db, 15);
      expect(await silences()).toMatchObject([{ open: false }, { open: true }]);
      const { rows } = await sql.query(
        `select workflow_id from outbox where signal = 'massSilenceLookedInto'`,
      );
      expect(rows).toEqual([{ workflow_id: 'agent:unheard' }]);
    });
  });
});
