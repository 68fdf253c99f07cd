/** What people read of agents and machines: every field of the sources, filters, pages, costs, and refusals. */
import { NOWHERE, RunningApi } from '../harness/running-api';

let running: RunningApi;

beforeAll(async () => {
  running = await RunningApi.start({ env: { TEMPORAL_ADDRESS: NOWHERE } });
});
afterAll(() => running.stop());

interface Machine {
  client?: string;
  agentId: string;
  instanceId?: string;
  status?: string;
  health?: string;
  mode?: string;
  az?: string;
  type?: string;
  machine?: string;
  /** Since the newest heartbeat; null has none. */
  silentSeconds?: number | null;
  gpu?: number | null;
  heartbeats?: number;
  missed?: number;
}

/** An agent with its primary, as the workflow and the intake leave them. @returns the lease's id. */
async function put(machine: Machine): Promise<string | null> {
  const { client = 'alpha', agentId, status = 'online', health = 'healthy', mode = 'spot' } = machine;
  const instanceId = machine.instanceId ?? `m-${agentId}`;
  const az = machine.az ?? 'us-east-1a';
  const { sql } = running;
  await running.bookAgent(client, agentId, [{ instanceId, role: 'primary', incarnation: 1 }], 60);
  await sql.query(
    `update agents set status = $2, health = $3, mode = $4, az = $5, region = 'us-east-1',
       deleted_at = case when $2 = 'deleted' then now() end where id = $1`,
    [agentId, status, health, mode, az],
  );
  await sql.query(
    `insert into instances (client_id, id, agent_id, instance_type, az, region, account_id, mode, instance_status,
       created_at) values ($1, $2, $3, $4, $5, 'us-east-1', '123456789012', $6, $7, now() - interval '3 days')`,
    [client, instanceId, agentId, machine.type ?? 'g5.xlarge', az, mode, machine.machine ?? 'primary'],
  );
  const silent = machine.silentSeconds === undefined ? 15 : machine.silentSeconds;
  if (silent === null) return null;
  const { rows } = await sql.query<{ id: string }>(
    `insert into leases (agent_id, instance_id, client_id, revision, state, health, gpu_utilization_percent, heartbeats,
       missed_heartbeats, cost_accumulated, first_heartbeat_at, last_heartbeat_at, lease_until)
     values ($1, $2, $3, 1, $4, $5, $6, $7, $8, 2.40, now() - interval '9 hours', now() - make_interval(secs => $9), now())
     returning id`,
    [
      ...[agentId, instanceId, client, silent > 180 ? 'silent' : 'live', health, machine.gpu ?? null],
      ...[machine.heartbeats ?? 10, machine.missed ?? 0, silent],
    ],
  );
  return rows[0]!.id;
}

const get = (route: string, token = running.alpha.user) => running.call('GET', route, token);

async function sample(lease: string, secondsAgo: number, gpu: number | null, missed = 0): Promise<void> {
  await running.sql.query(
    `insert into heartbeat_samples (received_at, lease_id, online, healthy, gpu_utilization_percent, vram_used_gb,
       missed) values (now() - make_interval(secs => $2), $1, true, true, $3, 18.4, $4)`,
    [lease, secondsAgo, gpu, missed],
  );
}

describe('agent/instances', () => {
  test('a machine that is heard, and one that may be stuck', async () => {
    await put({ agentId: 'heard', instanceId: '28864630', gpu: 87 });
    await put({ agentId: 'stuck', instanceId: '98765432', status: 'orphaned', silentSeconds: 4230, gpu: 50 });
    const reply = await get('/api/agent/instances?az=us-east-1a');
    expect(reply.status).toBe(200);
    const { instances, next_after } = reply.body as {
      instances: Record<string, unknown>[];
      next_after: null;
    };
    expect(next_after).toBeNull();
    expect(instances.find((one) => one.instance_id === '28864630')).toEqual({
      instance_id: '28864630',
      name: 'logical-heard',
      agent_id: 'heard',
      status: 'running',
      last_heartbeat: expect.stringMatching(/Z$/),
      seconds_since_heartbeat: expect.any(Number),
      health: 'healthy',
      gpu_utilization: 87,
      cost_today: null, // no price is known
      cost_accumulated: 2.4,
      instance_type: 'g5.xlarge',
      mode: 'spot',
      az: 'us-east-1a',
      region: 'us-east-1',
    });
    expect(instances.find((one) => one.instance_id === '98765432')).toMatchObject({
      status: 'orphaned',
      health: 'unhealthy',
      gpu_utilization: null,
      alert: 'No heartbeat for 70 minutes; it may be stuck.',
    });
  });

  test('the detail counts, averages and lists what was heard', async () => {
    const lease = (await put({ agentId: 'detail', gpu: 87, heartbeats: 542, missed: 1 }))!;
    for (let beat = 0; beat < 30; beat += 1) await sample(lease, 15 + beat * 60, beat % 2 ? 70 : 90);
    await sample(lease, 3 * 3600, null);
    await running.sql.query(
      `update agents set keep_alive_until = now() + interval '30 minutes', protected = true, hibernation = $1
       where id = 'detail'`,
      [
        JSON.stringify({
          ...{ phase: 'hibernating', cause: 'idle', method: 'stop', imageId: null, instanceId: 'm-detail' },
          ...{
            since: '2026-01-01T00:00:00.000Z',
            workflowId: 'hibernate:detail:1',
            message: 'being stopped',
          },
        }),
      ],
    );
    const { status, body } = await get('/api/agent/instances/m-detail');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      instance_id: 'm-detail',
      status: 'running',
      total_heartbeats: 542,
      first_heartbeat: expect.stringMatching(/Z$/),
      uptime_percent: 99.8,
      missed_heartbeats: 1,
      avg_gpu_utilization: 80,
      cost_accumulated: 2.4,
      keep_alive: { until: expect.stringMatching(/Z$/), seconds_left: expect.any(Number) },
      protected: true,
      hibernation: {
        phase: 'hibernating',
        cause: 'idle',
        method: 'stop',
        image_id: null,
        message: 'being stopped',
      },
    });
    const recent = body.recent_heartbeats as Record<string, unknown>[];
    expect(recent).toHaveLength(20);
    expect(recent[0]).toEqual({
      timestamp: expect.stringMatching(/Z$/),
      gpu_utilization: 90,
      vram_used_gb: 18.4,
      status: 'running',
    });
    const times = recent.map((one) => String(one.timestamp));
    expect(times).toEqual([...times].sort().reverse());
  });

  test('beats that are due now and do not come are missed already', async () => {
    await put({ agentId: 'quiet', status: 'silent', silentSeconds: 300, heartbeats: 96 });
    expect((await get('/api/agent/instances/m-quiet')).body).toMatchObject({
      missed_heartbeats: 4,
      uptime_percent: 96,
      health: 'unhealthy',
      recent_heartbeats: [],
      avg_gpu_utilization: null,
      keep_alive: null,
      hibernation: null,
    });
  });

  test('while it was stopped no beat was due', async () => {
    await put({ agentId: 'rested', status: 'hibernated', silentSeconds: 7_200, heartbeats: 96 });
    await running.sql.query(
      `insert into instance_stops (client_id, instance_id, stopped_at, asked_at)
       values ('alpha', 'm-rested', now() - interval '6840 seconds', now() - interval '6900 seconds')`,
    );
    const figures = { missed_heartbeats: 4, uptime_percent: 96 };
    expect((await get('/api/agent/instances/m-rested')).body).toMatchObject(figures);
    // Woken just now, and not yet heard.
    await running.sql.query(`update instance_stops set started_at = now() where instance_id = 'm-rested'`);
    await running.sql.query(`update agents set status = 'silent' where id = 'rested'`);
    expect((await get('/api/agent/instances/m-rested')).body).toMatchObject(figures);
  });

  test('one that never was heard has nothing to count', async () => {
    await put({ agentId: 'unheard', silentSeconds: null });
    expect((await get('/api/agent/instances/m-unheard')).body).toMatchObject({
      last_heartbeat: null,
      seconds_since_heartbeat: null,
      total_heartbeats: 0,
      first_heartbeat: null,
      uptime_percent: null,
      missed_heartbeats: 0,
      recent_heartbeats: [],
    });
  });

  test('a former primary shows as what the machine is; terminated machines and deleted agents are left out', async () => {
    await put({ agentId: 'moved', instanceId: 'z-1', az: 'eu-west-1a' });
    await running.sql.query(
      `insert into instances (client_id, id, agent_id, instance_type, az, region, account_id, mode, instance_status)
       select client_id, new.id, agent_id, instance_type, az, region, account_id, mode, new.status
       from instances, (values ('z-0', 'zombie'), ('z-2', 'terminated')) as new (id, status) where instances.id = 'z-1'`,
    );
    await put({ agentId: 'gone', instanceId: 'z-3', status: 'deleted', az: 'eu-west-1a' });
    const shown = async (query: string) =>
      (
        (await get(`/api/agent/instances${query}`)).body.instances as {
          instance_id: string;
          status: string;
        }[]
      )
        .filter((one) => one.instance_id.startsWith('z-'))
        .map((one) => [one.instance_id, one.status]);
    expect(await shown('')).toEqual([
      ['z-0', 'zombie'],
      ['z-1', 'running'],
    ]);
    expect(await shown('?az=eu-west-1a')).toEqual([['z-1', 'running']]); // a filter is about agents
  });

  test('filters and pages', async () => {
    for (const number of [1, 2, 3, 4, 5]) {
      await put({
        agentId: `page-${number}`,
        az: 'ap-south-1a',
        status: number > 3 ? 'orphaned' : 'online',
        silentSeconds: number > 3 ? 400 : 5,
        health: number === 3 ? 'unhealthy' : 'healthy',
      });
    }
    const ids = async (query: string) =>
      (
        (await get(`/api/agent/instances?az=ap-south-1a&${query}`)).body.instances as { agent_id: string }[]
      ).map((one) => one.agent_id);
    expect(await ids('status=running')).toEqual(['page-1', 'page-2', 'page-3']);
    expect(await ids('status=orphaned')).toEqual(['page-4', 'page-5']);
    expect(await ids('health=unhealthy')).toEqual(['page-3', 'page-4', 'page-5']);
    expect(await ids('health=healthy')).toEqual(['page-1', 'page-2']);
    expect(await ids('search=GE-2')).toEqual(['page-2']);
    expect(await ids('search=GE_2')).toEqual([]); // no pattern
    const first = await get('/api/agent/instances?az=ap-south-1a&limit=2');
    expect(first.body.next_after).toBe('m-page-2');
    expect(await ids(`limit=2&after=${String(first.body.next_after)}`)).toEqual(['page-3', 'page-4']);
    expect((await get('/api/agent/instances?az=ap-south-1a&limit=5')).body.next_after).toBe('m-page-5');
    expect((await get('/api/agent/instances?az=ap-south-1a&limit=5&after=m-page-5')).body).toEqual({
      instances: [],
      next_after: null,
    });
  });

  test("an administrator names the client; nobody else's is shown", async () => {
    const admin = (route: string) => get(route, running.alpha.admin);
    expect((await admin('/api/agent/instances')).body.code).toBe('invalid_query');
    expect((await admin('/api/agent/instances?client_id=beta')).body).toEqual({
      instances: [],
      next_after: null,
    });
    expect((await admin('/api/agent/instances?client_id=nobody')).status).toBe(404);
    expect((await get('/api/agent/instances?client_id=beta')).status).toBe(404);
  });
});

describe('cost today', () => {
  const price = (type: string, zone: string, hoursAfterMidnight: number, usd: string) =>
    running.sql.query(
      `insert into price_book values ('123456789012', 'us-east-1', $1, $2, $3,
         date_trunc('day', now() at time zone 'utc') at time zone 'utc' + make_interval(secs => 3600 * $4::float8), $5)`,
      [type, zone === '' ? 'ondemand' : 'spot', zone, hoursAfterMidnight, usd],
    );
  /** The day so far, in hours. */
  const hours = async () =>
    Number(
      (
        await running.sql.query<{ h: string }>(
          `select extract(epoch from now() - date_trunc('day', now() at time zone 'utc') at time zone 'utc') / 3600 as h`,
        )
      ).rows[0]!.h,
    );
  const cost = async (instance: string) =>
    (await get(`/api/agent/instances/${instance}`)).body.cost_today as number | null;
  const share = (fraction: number) =>
    `date_trunc('day', now() at time zone 'utc') at time zone 'utc' + (now() - date_trunc('day', now() at time zone 'utc') at time zone 'utc') * ${fraction}`;

  test('sums the prices that held while it ran', async () => {
    const sofar = await hours();
    await price('p1', 'us-east-1a', -40, '9.99'); // long over
    await price('p1', 'us-east-1a', -5, '0.40');
    await price('p1', 'us-east-1a', sofar / 2, '0.80');
    await price('p1', 'us-east-1b', -5, '7'); // another zone
    await put({ agentId: 'cost-1', type: 'p1' });
    const expected = (sofar / 2) * 0.4 + (sofar / 2) * 0.8;
    expect(await cost('m-cost-1')).toBeCloseTo(expected, 2);
    const list = await get('/api/agent/instances?search=cost-1');
    expect((list.body.instances as { cost_today: number }[])[0]!.cost_today).toBeCloseTo(expected, 2);
  });

  test('on demand the price holds in the whole region', async () => {
    await price('p2', '', -5, '1.006');
    await put({ agentId: 'cost-2', type: 'p2', mode: 'ondemand' });
    expect(await cost('m-cost-2')).toBeCloseTo((await hours()) * 1.006, 2);
  });

  test('an unknown price makes the sum unknown, also of a part of the time', async () => {
    await put({ agentId: 'cost-3', type: 'p3' });
    expect(await cost('m-cost-3')).toBeNull();
    await price('p3', 'us-east-1a', (await hours()) / 2, '1');
    expect(await cost('m-cost-3')).toBeNull();
  });

  test('a machine that is stopped or gone costs nothing', async () => {
    await price('p4', 'us-east-1a', -30, '1');
    const sofar = await hours();
    await put({ agentId: 'cost-4', type: 'p4' });
    await running.sql.query(
      `insert into instance_stops values ('alpha', 'm-cost-4', ${share(0.25)}, ${share(0.5)}), ('alpha', 'm-cost-4', ${share(0.75)}, null)`,
    );
    expect(await cost('m-cost-4')).toBeCloseTo(sofar / 2, 2);
    await put({ agentId: 'cost-5', type: 'p4' });
    await running.sql.query(
      `update instances set instance_status = 'terminated', terminated_at = ${share(0.5)} where id = 'm-cost-5'`,
    );
    expect(await cost('m-cost-5')).toBeCloseTo(sofar / 2, 2);
    await running.sql.query(
      `update instances set terminated_at = now() - interval '2 days' where id = 'm-cost-5'`,
    );
    expect(await cost('m-cost-5')).toBe(0);
  });
});

describe('keep-alive of an instance', () => {
  const keep = (instance: string, body?: object, token = running.alpha.client) =>
    running.call('POST', `/api/agent/instances/${instance}/keep-alive`, token, body);

  test('is registered for an hour, or as long as is said', async () => {
    await put({ agentId: 'kept', instanceId: '4711' });
    expect((await keep('4711')).body).toEqual({
      success: true,
      message: 'Manual keep-alive registered',
      valid_for_minutes: 60,
    });
    expect((await keep('4711', { valid_for_minutes: 5 })).body.valid_for_minutes).toBe(5);
    expect((await running.outbox('kept')).map(({ signal, payload }) => [signal, payload.minutes])).toEqual([
      ['keepAlive', 60],
      ['keepAlive', 5],
    ]);
    expect((await keep('4711', { minutes: -1 })).status).toBe(422);
    // Another client's is none of theirs: it would become an agent of their own, which takes Temporal.
    expect((await keep('4711', {}, running.beta.user)).status).toBe(503);
  });

  test('revives nothing that was deleted', async () => {
    await put({ agentId: 'ended', instanceId: '4712', status: 'deleted' });
    expect((await keep('4712')).status).toBe(410);
    expect(await running.outbox('ended')).toEqual([]);
  });
});

describe('lists of agents', () => {
  const agents = async (query: string) =>
    ((await get(`/api/client/alpha/agents?${query}`)).body.agents as { agent_id: string }[]).map(
      (one) => one.agent_id,
    );

  test('filter, search and page; deleted ones are in the history only', async () => {
    await put({ agentId: 'l-1', az: 'sa-east-1a', mode: 'ondemand', gpu: 12.5 });
    await put({ agentId: 'l-2', az: 'sa-east-1a', status: 'orphaned', silentSeconds: 400 });
    await put({ agentId: 'l-3', az: 'sa-east-1a', health: 'unhealthy' });
    await put({ agentId: 'l-4', az: 'sa-east-1a', status: 'deleted' });
    expect(await agents('az=sa-east-1a')).toEqual(['l-1', 'l-2', 'l-3']);
    expect(await agents('az=sa-east-1a&status=orphaned')).toEqual(['l-2']);
    expect(await agents('az=sa-east-1a&status=running')).toEqual(['l-1', 'l-3']);
    expect(await agents('az=sa-east-1a&health=unhealthy')).toEqual(['l-3']);
    expect(await agents('az=sa-east-1a&mode=ondemand')).toEqual(['l-1']);
    expect(await agents('az=sa-east-1a&region=us-east-1&search=LOGICAL-l-2')).toEqual(['l-2']);
    expect(await agents('search=m-l-3')).toEqual(['l-3']);
    const page = await get('/api/client/alpha/agents?az=sa-east-1a&limit=2');
    expect(page.body.next_after).toBe('l-2');
    expect(await agents('az=sa-east-1a&limit=2&after=l-2')).toEqual(['l-3']);
    const [one] = (await get('/api/client/alpha/agents?search=l-1')).body.agents as object[];
    expect(one).toMatchObject({
      gpu_utilization: 12.5,
      protected: false,
      hibernation: null,
      idle_warning: null,
    });
    await running.sql.query(
      `update instance_standing set hibernation_due_at = now() + interval '100 seconds', hibernation_reason = 'idle'
       where agent_id = 'l-1'`,
    );
    const [warned] = (await get('/api/client/alpha/agents?search=l-1')).body.agents as {
      idle_warning: { seconds_left: number };
    }[];
    expect(warned).toMatchObject({ idle_warning: { reason: 'idle' } });
    expect(Math.abs(100 - warned!.idle_warning.seconds_left)).toBeLessThanOrEqual(3);

    const history = await get('/api/client/alpha/agents/history?search=l-4');
    expect(history.body).toEqual({
      agents: [
        {
          ...{ agent_id: 'l-4', logical_agent_id: 'logical-l-4', status: 'deleted', incarnation: 1 },
          ...{
            instance_id: 'm-l-4',
            instance_type: null,
            mode: 'spot',
            az: 'sa-east-1a',
            region: 'us-east-1',
          },
          ...{ created_at: expect.any(String), deleted_at: expect.any(String) },
          ...{ workflow_id: 'agent:l-4', workflow_url: null },
        },
      ],
      next_after: null,
    });
  });

  test('the history pages from the last deleted on, also through equal times', async () => {
    for (const id of ['d-1', 'd-2', 'd-3', 'd-4'])
      await put({ agentId: id, status: 'deleted', instanceId: `i-${id}` });
    await running.sql.query(
      `update agents set deleted_at = case when id in ('d-2', 'd-3') then '2026-03-01T00:00:00.123456Z'::timestamptz
         when id = 'd-1' then '2026-02-01Z' else '2026-04-01Z' end where id like 'd-%'`,
    );
    const seen: string[] = [];
    let after = '';
    do {
      const { body } = await get(`/api/client/alpha/agents/history?limit=1&search=logical-d-${after}`);
      const page = body as { agents: { agent_id: string }[]; next_after: string | null };
      seen.push(...page.agents.map((one) => one.agent_id));
      after = page.next_after === null ? 'end' : `&after=${page.next_after}`;
    } while (after !== 'end');
    expect(seen).toEqual(['d-4', 'd-3', 'd-2', 'd-1']);
  });

  test('what happened to one agent: events, machines, switches', async () => {
    await put({ agentId: 'story' });
    for (const number of [1, 2, 3]) {
      await running.sql.query(
        `insert into system_events (event_key, client_id, agent_id, event_type, severity, message)
         values ('story' || $1, 'alpha', 'story', 'test', 'info', $1)`,
        [String(number)],
      );
      await running.sql.query(
        `insert into launch_intents (launch_id, client_id, agent_id, logical_agent_id, switch_number, attempt,
           account_id, region, instance_type, az, mode, image_id, client_token, user_data, outcome, instance_id)
         values ($1, 'alpha', 'story', 'logical-story', $2, $3, '1', 'us-east-1', 'g5.xlarge', 'us-east-1a', 'spot',
           'ami', $1, '{}', $4, $5)`,
        [
          `story-${number}`,
          number === 3 ? 2 : 1,
          number === 2 ? 2 : 1,
          ...(number === 1 ? ['no_capacity', null] : ['launched', `i-${number}`]),
        ],
      );
    }
    const { body } = await get('/api/agents/story/history?limit=2');
    expect((body.events as { message: string }[]).map((event) => event.message)).toEqual(['3', '2']);
    expect(body).toMatchObject({
      agent_id: 'story',
      instances: [{ instance_id: 'm-story' }],
      switches: [
        { switch_number: 2, switch_workflow_id: 'switch:story:2', launches: [{ instance_id: 'i-3' }] },
        {
          switch_number: 1,
          launches: [{ outcome: 'no_capacity' }, { outcome: 'launched', instance_id: 'i-2' }],
        },
      ],
    });
    const next = await get(`/api/agents/story/history?limit=2&after=${String(body.next_after)}`);
    expect((next.body.events as { message: string }[]).map((event) => event.message)).toEqual(['1']);
    expect(next.body.next_after).toBeNull();
  });
});

describe('samples for charts', () => {
  test('come at the resolution that fits the span, whether or not they are summed up yet', async () => {
    const lease = (await put({ agentId: 'chart' }))!;
    await sample(lease, 30, 50, 1);
    await sample(lease, 90, 70);
    await sample(lease, 5 * 3600, null);
    const read = async (query: string) =>
      (await get(`/api/agents/chart/samples?${query}`)).body as unknown as {
        resolution: string;
        truncated: boolean;
        next_from: string | null;
        samples: Record<string, unknown>[];
      };
    const hour = await read('');
    expect(hour).toMatchObject({ agent_id: 'chart', resolution: 'raw', truncated: false });
    expect(hour.samples).toMatchObject([
      {
        instance_id: 'm-chart',
        samples: 1,
        gpu_utilization: 70,
        gpu_utilization_max: 70,
        vram_used_gb: 18.4,
      },
      { samples: 1, gpu_utilization: 50, missed_heartbeats: 1 },
    ]);
    const ago = (hours: number) => new Date(Date.now() - hours * 3_600_000).toISOString();
    const day = await read(`from=${ago(24)}`);
    expect(day.resolution).toBe('5m');
    expect(day.samples.reduce((sum, step) => sum + Number(step.samples), 0)).toBe(3);
    expect(day.samples[0]).toMatchObject({ samples: 1, gpu_utilization: null });
    const month = await read(`from=${ago(24 * 10)}`);
    expect(month.resolution).toBe('1h');
    expect(month.samples.reduce((sum, step) => sum + Number(step.missed_heartbeats), 0)).toBe(1);
    const quarter = await read(`from=${ago(24 * 90)}`);
    expect(quarter.resolution).toBe('6h');
    expect(quarter.samples.reduce((sum, step) => sum + Number(step.samples), 0)).toBe(3);
    expect(Math.max(...quarter.samples.map((step) => Number(step.gpu_utilization_max)))).toBe(70);
    const pages = [await read(`from=${ago(24)}&resolution=raw&limit=2`)];
    expect(pages[0]).toMatchObject({ truncated: true, samples: { length: 2 } });
    pages.push(await read(`from=${pages[0]!.next_from}&resolution=raw&limit=2`));
    expect(pages[1]).toMatchObject({ truncated: false, next_from: null });
    expect(pages.flatMap((page) => page.samples)).toEqual(
      (await read(`from=${ago(24)}&resolution=raw`)).samples,
    );
    expect(pages.flatMap((page) => page.samples)).toHaveLength(3);
    expect((await read(`from=${ago(24)}&instance_id=other`)).samples).toEqual([]);
    // Summed up, each counts once all the same.
    await running.sql.query(
      `insert into heartbeat_samples_5m (lease_id, starts_at, samples, missed, unhealthy_samples, idle_samples, gpu_samples)
       select lease_id, date_bin('5 minutes', received_at, '2001-01-01Z'), 1, missed, 0, 0, 0 from heartbeat_samples
       where lease_id = $1 and received_at < now() - interval '1 hour'`,
      [lease],
    );
    await running.sql.query(
      `insert into sample_rollups values ('heartbeat_samples_5m', date_bin('5 minutes', now() - interval '1 hour', '2001-01-01Z'))`,
    );
    const again = await read(`from=${ago(24)}`);
    expect(again.samples.reduce((sum, step) => sum + Number(step.samples), 0)).toBe(3);
  });
});

describe('query parameters', () => {
  test.each([
    ['/api/client/alpha/agents?status=deleted', /status takes one of online, .*running/],
    ['/api/client/alpha/agents?status=online&status=silent', /status may be there once/],
    ['/api/client/alpha/agents?health=ill', /health takes healthy or unhealthy/],
    ['/api/client/alpha/agents?mode=on-demand', /mode takes spot or ondemand/],
    ['/api/client/alpha/agents?limit=0', /limit takes a whole number from 1 to 200/],
    ['/api/client/alpha/agents?limit=201', /limit takes/],
    ['/api/client/alpha/agents?limit=1e2', /limit takes/],
    ['/api/client/alpha/agents?limit=NaN', /limit takes/],
    ['/api/client/alpha/agents?after=%00', /after holds a zero byte/],
    ['/api/client/alpha/agents?search=%00', /search holds a zero byte/],
    [`/api/client/alpha/agents?search=${'x'.repeat(129)}`, /search takes/],
    [`/api/client/alpha/agents?az=${'x'.repeat(65)}`, /az takes/],
    ['/api/client/alpha/agents?after=a%20b', /after takes/],
    ['/api/client/alpha/agents/history?after=1', /after takes/],
    ['/api/client/alpha/agents/history?after=99999999999999999999.a', /after takes/],
    ['/api/agent/instances?limit=-1', /limit takes/],
    ['/api/agent/instances?client_id=..%2F', /client_id takes/],
    ['/api/agents/bad/samples?from=yesterday', /from takes a time/],
    ['/api/agents/bad/samples?to=9999-01-01', /to takes a time/],
    ['/api/agents/bad/samples?from=2026-01-02&to=2026-01-01', /from must come before/],
    ['/api/agents/bad/samples?resolution=1s', /resolution takes one of auto, raw, 5m, 1h, 6h/],
    ['/api/agents/bad/history?after=x', /after takes/],
  ])('%s', async (route, sentence) => {
    if (route.includes('/bad/')) await running.bookAgent('alpha', 'bad', []).catch(() => undefined);
    const reply = await get(route);
    expect([reply.status, reply.body.code]).toEqual([400, 'invalid_query']);
    expect(reply.body.detail).toMatch(sentence);
  });

  test('empty ones and unknown ones count as left out', async () => {
    expect((await get('/api/client/alpha/agents?status=&search=&limit=&nonsense=1')).status).toBe(200);
    const cursor = '99999999999999999.zzz';
    expect((await get(`/api/client/alpha/agents/history?after=${cursor}`)).status).toBe(200);
    expect((await get('/api/agents/bad/history?after=999999999999999999')).status).toBe(200);
  });
});
