/** Machines that fall silent, are kept alive or shut down, under the default policy in skipped time. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { ROOT, testServers } from '../harness/servers';
import type { SkippedAgent, SkippedClient } from '../harness/skipped-client';
import { SkippedSystem } from '../harness/skipped-system';

let system: SkippedSystem;
let client: SkippedClient;

beforeAll(async () => {
  system = await SkippedSystem.start();
  client = await system.client();
}, 120_000);
afterEach(() => system.forget());
afterAll(() => system?.stop());

const BUSY = { gpu_utilization: 87 };
const IDLE = { gpu_utilization: 2 };

async function heardAgent(options: Parameters<SkippedClient['agent']>[0] = {}): Promise<SkippedAgent> {
  const agent = await client.agent(options);
  await agent.beat(BUSY);
  return agent;
}

async function listed(instanceId: string): Promise<Record<string, unknown> | undefined> {
  const { body } = await client.get('agent/instances');
  return (body['instances'] as Record<string, unknown>[]).find((one) => one['instance_id'] === instanceId);
}

describe("the source's simulations", () => {
  it.each(['news', 'every'] as const)(
    'a heartbeat that stops for six minutes is found orphaned, and one more mends that (HEARTBEAT_SIGNALS=%s)',
    async (mode) => {
      const agent = await heardAgent({ mode, dialect: 'status' });
      await agent.beats(60, BUSY);
      await system.pass(75);
      expect((await agent.state()).status).toBe('online'); // Its lease lasts 90 s.
      await system.pass(30);
      await agent.becomes('silent');
      await system.pass(180);
      expect((await agent.state()).status).toBe('silent');
      await system.pass(75);
      await agent.becomes('orphaned');
      expect(await listed(agent.instanceId)).toMatchObject({
        status: 'orphaned',
        health: 'unhealthy',
        gpu_utilization: null,
        alert: expect.stringMatching(/^No heartbeat for 6 minutes/),
      });
      await agent.beat(BUSY);
      await agent.becomes('online');
      const now = await listed(agent.instanceId);
      expect(now).toMatchObject({ status: 'running', health: 'healthy', gpu_utilization: 87 });
      expect(now).not.toHaveProperty('alert');
    },
  );

  it('six idle minutes at 2 % hibernate it after five, warned at three', async () => {
    const minutely = await system.client({ heartbeatIntervalSeconds: 60 });
    const agent = await minutely.agent({ dialect: 'status', everySeconds: 60 });
    await agent.beat(BUSY);
    await agent.beats(540, BUSY);
    const replies = [];
    for (let minute = 0; minute < 6 && (await agent.state()).status === 'online'; minute += 1) {
      replies.push((await agent.beats(60, IDLE))[0]?.countdown_seconds ?? null);
    }
    await agent.becomes('hibernated');
    expect(replies.map((seconds) => seconds && Math.ceil(seconds / 10))).toEqual([
      null,
      null,
      null,
      null, // With this one, three minutes of idleness are known: the next is told.
      6,
      null, // It is being hibernated.
    ]);
    expect(await system.cloudState(agent.instanceId)).toBe('stopped');
  });
});

describe('a keep-alive', () => {
  const { temporalBinary } = testServers();
  const byTerminal = (agent: SkippedAgent, minutes: number) =>
    promisify(execFile)(temporalBinary, [
      ...[
        '--address',
        system.environment.address,
        'workflow',
        'signal',
        '--workflow-id',
        `agent:${agent.id}`,
      ],
      ...['--name', 'keepAlive', '--input', JSON.stringify({ minutes })],
    ]);
  const byCommand = (agent: SkippedAgent, minutes: number) =>
    promisify(execFile)(
      process.execPath,
      [path.join(ROOT, 'bin', 'spotkeeper.mjs'), 'keep-alive', agent.id, '--minutes', String(minutes)],
      { env: { ...process.env, SPOTKEEPER_URL: system.apiUrl, SPOTKEEPER_TOKEN: client.token } },
    );
  const byHttp = async (agent: SkippedAgent, minutes: number) => {
    const address = `agent/instances/${agent.instanceId}/keep-alive`;
    const { body } = await client.ask('POST', address, { valid_for_minutes: minutes });
    expect(body).toMatchObject({ success: true, valid_for_minutes: minutes });
  };

  it.each([
    ['by HTTP', byHttp],
    ['by `temporal workflow signal`', byTerminal],
    ['by `spotkeeper keep-alive`', byCommand],
  ])('%s holds off what silence leads to until its end, which can be read', async (_, keepAlive) => {
    const agent = await heardAgent();
    await system.pass(360);
    await agent.becomes('orphaned');
    await keepAlive(agent, 40);
    await system.deliver();
    expect((await agent.state()).status).toBe('silent');
    const { keep_alive } = (await agent.read()) as { keep_alive: { until: string; seconds_left: number } };
    expect(Math.round(keep_alive.seconds_left / 60)).toBe(40);
    const { body } = await client.get(`agents/${agent.id}`);
    expect(body['keep_alive_until']).toBe(keep_alive.until);

    await system.skip(38 * 60);
    expect((await agent.state()).status).toBe('silent');
    await system.pass(180);
    expect((await agent.read())['keep_alive']).toBeNull();
    await system.pass(300);
    await agent.becomes('orphaned');
    await system.skip(22 * 60);
    expect(await system.cloudState(agent.instanceId)).toBe('running');
    await system.pass(240);
    expect((await agent.becomes('hibernated')).hibernation).toMatchObject({
      cause: 'silence',
      method: 'stop',
    });
  });

  it('takes a warning back and keeps an idle machine running until its end', async () => {
    const agent = await heardAgent();
    await agent.beats(420, BUSY);
    await agent.beats(210, IDLE);
    expect(await agent.beats(30, IDLE)).toHaveLength(1);
    await byHttp(agent, 10);
    await system.deliver();
    await agent.state();
    expect(await agent.beats(570, IDLE)).toEqual([]);
    expect((await agent.state()).status).toBe('online');
    await agent.beats(60, IDLE);
    expect((await agent.state()).keepAliveUntil).toBeNull();
    expect(await agent.beats(210, IDLE)).toHaveLength(1);
    await agent.beats(90, IDLE);
    await system.pass(30);
    await agent.becomes('hibernated');
  });
});

it('a clean shutdown is offline at once, and stays to be seen and running', async () => {
  const agent = await heardAgent();
  await system.call('POST', `agents/${agent.id}/heartbeat`, client.token, {
    instance_id: agent.instanceId,
    status: 'offline',
  });
  await system.deliver();
  await agent.becomes('offline');
  await system.pass(300);
  await system.skip(3 * 3600);
  const { body } = await client.get(`client/${client.id}/agents`);
  const found = (body['agents'] as { agent_id: string }[]).find((one) => one.agent_id === agent.id);
  expect(found).toMatchObject({ status: 'offline' });
  expect(await system.cloudState(agent.instanceId)).toBe('running');
  expect(await agent.events()).not.toContain('agent_orphaned');
});

describe('silence that is hardly the agents', () => {
  it('of over half of a client alerts once and stops no machine, past every deadline, until it was looked into', async () => {
    const many = await system.client();
    const agents: SkippedAgent[] = [];
    for (let number = 0; number < 10; number += 1) agents.push(await many.agent());
    const beat = (some: SkippedAgent[]) => Promise.all(some.map((agent) => agent.beat(BUSY)));
    await beat(agents);
    const [well, silent] = [agents.slice(0, 4), agents.slice(4)];
    for (let beats = 0; beats < 12; beats += 1) {
      await system.pass(30);
      await beat(well);
    }
    for (const agent of silent) await agent.becomes('orphaned');
    for (const agent of well) expect((await agent.state()).status).toBe('online');
    const { rows } = await system.sql.query(
      `select event_type, severity from system_events where client_id = $1 and severity <> 'info'`,
      [many.id],
    );
    expect(rows).toEqual([{ event_type: 'mass_silence', severity: 'critical' }]);

    await system.skip(3 * 3600);
    await system.pass(60);
    const [held, ...others] = silent as [SkippedAgent, ...SkippedAgent[]];
    for (const agent of silent) {
      expect((await agent.state()).hibernation).toBeNull();
      expect(await system.cloudState(agent.instanceId)).toBe('running');
    }
    await beat([...well, ...others]);
    for (const agent of others) await agent.becomes('online');

    const route = `clients/${many.id}/mass-silence/looked-into`;
    const looked = await many.ask('PUT', route, { note: 'it was the network' });
    expect(looked.status).toBe(200);
    await system.deliver();
    await system.pass(29 * 60);
    expect(await system.cloudState(held.instanceId)).toBe('running');
    await system.pass(2 * 60);
    await held.becomes('hibernated');
    expect(await system.cloudState(held.instanceId)).toBe('stopped');
  });
});
