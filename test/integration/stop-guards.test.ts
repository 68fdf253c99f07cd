/** The last look before a machine is stopped or ended, on a real database: grounds, stop switches, the cap. */
import { Client } from 'pg';
import { createRestActivities } from '../../activities/rest-activities';
import { heldByCap, heldBySwitch } from '../../activities/stop-guards';
import type { HibernationCause } from '../../contracts/messages';
import { connectDatabase, type Db } from '../../db/connect';
import { signIntake } from '../../db/lease-sweep';
import { TERMINATION_CAP } from '../../db/stop-guards';
import { createTestDatabase, type TestDatabase } from '../harness/database';
import { seedClient } from '../harness/seed';

let database: TestDatabase;
let db: Db;
let sql: Client;

beforeAll(async () => {
  database = await createTestDatabase();
  await seedClient(database.url, 'c1');
  await seedClient(database.url, 'c2');
  db = connectDatabase(database.url, 'spotkeeper_worker');
  sql = new Client({ connectionString: database.url });
  await sql.connect();
});
afterAll(async () => {
  await sql?.end();
  await db?.destroy();
  await database?.drop();
});
beforeEach(() =>
  sql.query(
    'truncate agents, instances, leases, instance_standing, sweep_runs, stop_switches, system_events, mass_silences, heartbeat_samples, instance_stops cascade',
  ),
);

const address = (instanceId: string, clientId = 'c1') => ({
  clientId,
  agentId: 'a1',
  instanceId,
  accountId: '000000000000',
  region: 'us-east-1',
});

describe('the grounds', () => {
  async function agent(silentSeconds: number): Promise<string> {
    await sql.query(`insert into sweep_runs values ('intake', now(), now() - interval '1 day')`);
    await sql.query(`insert into agents (id, client_id, logical_agent_id, status, health, incarnation, primary_instance_id,
      terminate_wait_seconds, revision) values ('a1', 'c1', 'a1', 'orphaned', 'healthy', 1, 'i-1', 300, 1)`);
    await sql.query(`insert into instance_standing (agent_id, instance_id, client_id, role, incarnation,
      current_incarnation, heartbeat_interval_seconds, revision) values ('a1', 'i-1', 'c1', 'primary', 1, 1, 30, 1)`);
    const { rows } = await sql.query(
      `insert into leases (agent_id, instance_id, client_id, revision, state, health, heartbeats, first_heartbeat_at,
         last_heartbeat_at, lease_until) values ('a1', 'i-1', 'c1', 7, 'silent', 'healthy', 9, now() - interval '1 day',
         now() - make_interval(secs => $1), now()) returning id`,
      [silentSeconds],
    );
    return rows[0].id;
  }
  const confirm = (cause: HibernationCause, seconds: number, instanceId = 'i-1') =>
    createRestActivities(db).confirmCause({
      clientId: 'c1',
      agentId: 'a1',
      instanceId,
      cause,
      seconds,
      idleGpuThresholdPercent: 5,
    });

  it('of silence hold until the agent is heard', async () => {
    await agent(2_000);
    expect(await confirm('silence', 1_800)).toMatchObject({ still: true });
    await sql.query('update leases set last_heartbeat_at = now()');
    expect(await confirm('silence', 1_800)).toEqual({ still: false, message: 'it was heard 0 s ago' });
  });

  it.each([
    ['the agent is protected', `update agents set protected = true`],
    ['the agent is kept alive', `update agents set keep_alive_until = now() + interval '1 minute'`],
    ['no intake was alive lately', `update sweep_runs set last_run_at = now() - interval '2 minutes'`],
    ['no intake ever was', `delete from sweep_runs`],
    ['another machine is the primary', `update instance_standing set instance_id = 'i-2'`],
  ])('of silence are gone when %s', async (_, change) => {
    await agent(2_000);
    await sql.query(change);
    expect(await confirm('silence', 1_800)).toMatchObject({ still: false });
  });

  describe('of silence, after a goodbye,', () => {
    /** It said goodbye 2,000 s ago; then its machine was stopped, and started again if that is given. */
    const saidGoodbye = async (stopped: number | null, started: number | null = null) => {
      await agent(2_000);
      await sql.query(`update leases set state = 'offline'`);
      if (stopped === null) return;
      await sql.query(
        `insert into instance_stops (client_id, instance_id, stopped_at, started_at)
         values ('c1', 'i-1', now() - make_interval(secs => $1), now() - make_interval(secs => $2))`,
        [stopped, started],
      );
    };

    it('are gone', async () => {
      await saidGoodbye(null);
      expect(await confirm('silence', 1_800)).toMatchObject({ still: false });
      expect(await confirm('forgotten', 1_800)).toMatchObject({ still: false });
    });

    it('hold when a stop of its machine made it say that, and it was started since and never heard', async () => {
      await saidGoodbye(1_990, 1_850);
      expect(await confirm('silence', 1_800)).toMatchObject({ still: true });
    });

    it('count from the start of its machine', async () => {
      await saidGoodbye(1_990, 1_700);
      expect(await confirm('silence', 1_800)).toEqual({ still: false, message: 'it was heard 1700 s ago' });
    });

    it('hold for an agent whose machine still is stopped, so that it can be forgotten', async () => {
      await saidGoodbye(1_990);
      expect(await confirm('forgotten', 1_800)).toMatchObject({ still: true });
    });

    it('are gone when its machine was stopped at some time before', async () => {
      await saidGoodbye(90_000, 80_000);
      expect(await confirm('silence', 1_800)).toMatchObject({ still: false });
    });
  });

  it('of silence are gone while a mass silence is open in which the agent fell silent', async () => {
    await agent(2_000);
    await sql.query(`update leases set lease_until = now() - interval '1900 seconds'`);
    await sql.query(
      `insert into mass_silences (client_id, began_at, last_lost_at, agents, silent_agents)
       values ('c1', now() - interval '1870 seconds', now() - interval '1860 seconds', 20, 15)`,
    );
    const verdict = await confirm('silence', 1_800);
    expect(verdict).toMatchObject({ still: false, message: expect.stringContaining('looked into') });
    expect(await confirm('forgotten', 1_800)).toMatchObject({ still: false });
    // One that was silent long before, or fell silent long after, is silent by itself.
    for (const ago of [1_931, 1_859]) {
      await sql.query(`update leases set lease_until = now() - make_interval(secs => $1)`, [ago]);
      expect(await confirm('silence', 1_800)).toMatchObject({ still: true });
    }
    await sql.query(`update leases set lease_until = now() - interval '1900 seconds'`);
    await sql.query('update mass_silences set closed_at = now()');
    expect(await confirm('silence', 1_800)).toMatchObject({ still: true });
  });

  it('of silence are gone until the intake, back after a gap, has been there for a lease', async () => {
    await agent(2_000);
    const intake = (change: string) => sql.query(`update sweep_runs set ${change} where name = 'intake'`);
    await intake(`last_run_at = now() - interval '21 seconds'`);
    await signIntake(db);
    const verdict = await confirm('silence', 1_800);
    expect(verdict).toMatchObject({
      still: false,
      message: expect.stringContaining('taken in again since 0 s'),
    });
    await intake(
      `unbroken_since = now() - interval '91 seconds', last_run_at = now() - interval '19 seconds'`,
    );
    await signIntake(db);
    expect(await confirm('silence', 1_800)).toMatchObject({ still: true });
  });

  it('of silence are gone for everyone while most agents of the system are silent', async () => {
    await agent(90_000);
    await sql.query(`update leases set lease_until = now() - interval '80000 seconds'`);
    await sql.query('insert into mass_silences (client_id, agents, silent_agents) values (null, 20, 15)');
    expect(await confirm('silence', 1_800)).toMatchObject({
      still: false,
      message: expect.stringContaining('looked into'),
    });
    expect(await confirm('forgotten', 1_800)).toMatchObject({ still: false });
    await sql.query('update mass_silences set closed_at = now()');
    expect(await confirm('silence', 1_800)).toMatchObject({ still: true });
  });

  describe('of silence, when others are live,', () => {
    const other = (heardAgo: number) =>
      sql.query(
        `with standing as (insert into instance_standing (agent_id, instance_id, client_id, role, incarnation,
           current_incarnation, heartbeat_interval_seconds, revision)
           values ('b-' || $1, 'i-b-' || $1, 'c2', 'primary', 1, 1, 30, 1))
         insert into leases (agent_id, instance_id, client_id, revision, state, health, heartbeats, first_heartbeat_at,
           last_heartbeat_at, lease_until) values ('b-' || $1, 'i-b-' || $1, 'c2', 7, 'live', 'healthy', 9, now(),
           now() - make_interval(secs => $2), now() + interval '1 minute')`,
        [String(heardAgo), heardAgo],
      );

    it('are gone when none of them was heard lately, whosever they are', async () => {
      await agent(2_000);
      await other(50);
      await other(60);
      expect(await confirm('silence', 1_800)).toMatchObject({
        still: false,
        message: expect.stringContaining('no agent at all'),
      });
      await other(5);
      expect(await confirm('silence', 1_800)).toMatchObject({ still: true });
    });
  });

  describe('of idleness', () => {
    /** A sample every 30 s for so many seconds, all idle, with what is given changed. */
    async function samples(
      seconds: number,
      except: (ago: number) => boolean | null | undefined = () => true,
    ) {
      const lease = await agent(0);
      for (let ago = 0; ago <= seconds; ago += 30) {
        const idle = except(ago);
        if (idle === undefined) continue;
        await sql.query(
          `insert into heartbeat_samples (lease_id, received_at, online, healthy, idle)
           values ($1, now() - make_interval(secs => $2), true, true, $3)`,
          [lease, ago, idle],
        );
      }
    }

    it('hold when every sample of the whole window is idle', async () => {
      await samples(330);
      expect(await confirm('idle', 300)).toMatchObject({ still: true });
    });

    it.each([
      ['one sample was busy', (ago: number) => ago !== 150],
      ['one reading is unknown', (ago: number) => (ago === 150 ? null : true)],
      [
        'two beats in a row are missing',
        (ago: number) => (ago === 150 || ago === 120 || ago === 90 ? undefined : true),
      ],
      ['the latest beats are missing', (ago: number) => (ago < 90 ? undefined : true)],
      ['the window is not covered from its start', (ago: number) => (ago > 210 ? undefined : true)],
    ])('are gone when %s', async (_, except) => {
      await samples(330, except);
      expect(await confirm('idle', 300)).toMatchObject({ still: false });
    });

    it('bear one missing beat', async () => {
      await samples(330, (ago) => (ago === 150 ? undefined : true));
      expect(await confirm('idle', 300)).toMatchObject({ still: true });
    });
  });
});

describe('a stop switch', () => {
  const set = (scope: string, clientId: string | null) =>
    sql.query(
      `insert into stop_switches (scope, client_id, reason, set_by) values ($1, $2, 'look first', 'ann')`,
      [scope, clientId],
    );

  it('of the system holds everything, and says so once for each machine', async () => {
    await set('system', null);
    expect(await heldBySwitch(db, address('i-1'))).toContain('the whole system');
    expect(await heldBySwitch(db, address('i-1', 'c2'))).toContain('ann');
    await heldBySwitch(db, address('i-1'));
    const { rows } = await sql.query(
      `select count(*)::int as n from system_events where event_type = 'stop_held'`,
    );
    expect(rows[0].n).toBe(1);
  });

  it('of a client holds that client only', async () => {
    await set('client:c1', 'c1');
    expect(await heldBySwitch(db, address('i-1', 'c2'))).toBeNull();
    expect(await heldBySwitch(db, address('i-1'))).toContain('this client');
  });

  it('must be named for what it holds', async () => {
    await expect(set('client:c2', 'c1')).rejects.toThrow(/check constraint/);
  });
});

describe('the cap', () => {
  async function machines(count: number, clientId = 'c1'): Promise<void> {
    await sql.query(
      `insert into instances (client_id, id, agent_id, instance_type, az, region, account_id, mode, instance_status)
       select $2, $2 || '-' || n, 'a1', 'x', 'x', 'x', 'x', 'spot', 'zombie' from generate_series(1, $1) n`,
      [count, clientId],
    );
  }
  const end = (id: string, clientId = 'c1') => heldByCap(db, address(id, clientId), TERMINATION_CAP);

  it('lets five machines of a small client end in an hour, and holds the sixth with one alert', async () => {
    await machines(8);
    await machines(8, 'c2');
    const ended = await Promise.all([1, 2, 3, 4, 5, 6, 7].map((n) => end(`c1-${n}`)));
    expect(ended.filter((held) => held === null)).toHaveLength(5);
    expect(ended.find((held) => held !== null)).toMatch(/cap is 5/);
    expect(await end('c2-1', 'c2')).toBeNull();
    const { rows } = await sql.query(
      `select severity from system_events where event_type = 'terminations_held'`,
    );
    expect(rows).toEqual([{ severity: 'critical' }]);
  });

  it('is a tenth of a large client', async () => {
    await machines(120);
    const ended = await Promise.all(Array.from({ length: 14 }, (_, n) => end(`c1-${n + 1}`)));
    expect(ended.filter((held) => held === null)).toHaveLength(12);
  });

  it('takes no more room for a repeat, and has room again after the hour', async () => {
    await machines(8);
    for (const n of [1, 2, 3, 4, 5]) await end(`c1-${n}`);
    expect(await end('c1-5')).toBeNull();
    expect(await end('c1-6')).not.toBeNull();
    await sql.query(`update instances set end_reserved_at = now() - interval '61 minutes' where id = 'c1-1'`);
    expect(await end('c1-6')).toBeNull();
  });

  it("is the client's own where it has set one", async () => {
    await sql.query(
      `update clients set policy = '{"terminationCapAtLeast": 1, "terminationCapShare": 0}' where id = 'c2'`,
    );
    await machines(8, 'c2');
    expect(await end('c2-1', 'c2')).toBeNull();
    expect(await end('c2-2', 'c2')).not.toBeNull();
  });
});
