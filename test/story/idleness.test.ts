/** Idle GPUs, from the samples of a machine to its rest, under the default policy in skipped time. */
import type { SkippedAgent, SkippedClient } from '../harness/skipped-client';
import { SkippedSystem } from '../harness/skipped-system';
import { until } from '../harness/until';

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

/** Up for longer than the minimum uptime, all of it busy. */
async function grown(options: Parameters<SkippedClient['agent']>[0] = {}): Promise<SkippedAgent> {
  const agent = await client.agent(options);
  await agent.beat(BUSY);
  await system.skip(540);
  await agent.beats(120, BUSY);
  return agent;
}

/** Warned, with a minute and a half left. */
async function warned(options: Parameters<SkippedClient['agent']>[0] = {}): Promise<SkippedAgent> {
  const agent = await grown(options);
  await agent.beat(IDLE);
  await agent.beats(180, IDLE);
  expect(await agent.beats(30, IDLE)).toMatchObject([{ type: 'hibernate_warning' }]);
  return agent;
}

const STAYS_ON = { status: 'online', hibernation: null, idleWarning: null };

async function expectStaysOn(agent: SkippedAgent): Promise<void> {
  expect(await agent.state()).toMatchObject(STAYS_ON);
  expect(await system.cloudState(agent.instanceId)).toBe('running');
  expect(await agent.events()).not.toContain('agent_hibernated');
}

describe.each([
  ['heartbeat', 'news'],
  ['status', 'news'],
  ['heartbeat', 'every'],
  ['status', 'every'],
] as const)('in the dialect of `%s`, with HEARTBEAT_SIGNALS=%s, idleness', (dialect, mode) => {
  it('is warned of at 3 min with a falling countdown, and ends in a stopped machine at 5', async () => {
    const agent = await grown({ dialect, mode });
    await agent.beat(IDLE);
    expect(await agent.beats(150, IDLE)).toEqual([]);
    expect((await agent.state()).idleWarning).toBeNull();
    await agent.beats(30, IDLE);
    expect((await agent.state()).idleWarning).not.toBeNull();
    const countdowns: number[] = [];
    for (let beat = 0; beat < 3; beat += 1) {
      const [warning] = await agent.beats(30, IDLE);
      expect(warning).toMatchObject({ type: 'hibernate_warning' });
      countdowns.push(warning!.countdown_seconds);
    }
    // 90, 60 and 30 s before the end, but for the time that the test itself took.
    expect(countdowns.map((seconds) => Math.ceil(seconds / 10))).toEqual([9, 6, 3]);
    expect(await system.cloudState(agent.instanceId)).toBe('running');
    await system.pass(30);
    expect(await agent.becomes('hibernated')).toMatchObject({
      hibernation: { cause: 'idle', method: 'stop', phase: 'hibernated' },
      primary: { instanceId: agent.instanceId },
    });
    expect(await system.cloudState(agent.instanceId)).toBe('stopped');
  });

  it('is over with a busy sample after the warning: the warning is gone, and nothing is stopped', async () => {
    const agent = await warned({ dialect, mode });
    expect(await agent.beat(BUSY)).toEqual([]);
    expect(await agent.events()).toContain('hibernation_warning_lifted');
    // Idle again: it counts from here, so at what was the end there is not even a warning.
    expect(await agent.beats(150, IDLE)).toEqual([]);
    await expectStaysOn(agent);
  });
});

it('makes an image of a one-time spot machine and ends that, and the record says so', async () => {
  const agent = await warned({ option: 'spot' });
  await agent.beats(60, IDLE);
  await system.pass(30);
  const { hibernation } = await agent.becomes('hibernated');
  expect(hibernation).toMatchObject({
    cause: 'idle',
    method: 'image',
    imageId: expect.stringMatching(/^ami-/),
  });
  expect(hibernation?.message).toContain("one-time spot instance can't be stopped");
  await until(
    'its machine has ended',
    async () => (await system.cloudState(agent.instanceId)) === 'terminated',
    20_000,
  );
});

it('brings a stopped agent back under its id when it is resumed', async () => {
  const agent = await warned();
  await agent.beats(60, IDLE);
  await system.pass(30);
  await agent.becomes('hibernated');
  expect((await client.ask('POST', `agents/${agent.id}/resume`)).status).toBe(202);
  await agent.becomes('silent');
  expect(await system.cloudState(agent.instanceId)).toBe('running');
  await agent.beat(BUSY);
  expect(await agent.becomes('online')).toMatchObject({ incarnation: 1, hibernation: null });
});

describe('is no idleness', () => {
  const READINGS = {
    'a reading of null': { gpu_utilization: null },
    'no reading': {},
    'a reading that can not be read': { gpu_utilization: 'low' },
    'the busiest of several GPUs': { gpu_utilization: [1, 2, 60] },
    'the busiest of several GPUs by name': { gpus: [{ utilization: 1 }, { utilization: 60 }] },
    'one GPU of several without a reading': { gpus: [{ utilization: 1 }, {}] },
  };

  it(`what every sample may hold: ${Object.keys(READINGS).join(', ')}`, async () => {
    const agents: [SkippedAgent, object][] = [];
    for (const readings of Object.values(READINGS)) agents.push([await client.agent(), readings]);
    const beat = () => Promise.all(agents.map(([agent, readings]) => agent.beat(readings)));
    await beat();
    await system.skip(600);
    for (let beats = 0; beats < 12; beats += 1) {
      await system.pass(30);
      expect((await beat()).flat()).toEqual([]);
    }
    for (const [agent] of agents) await expectStaysOn(agent);
  });

  it('a reading that becomes unknown after the warning', async () => {
    const agent = await warned();
    expect(await agent.beat({ gpu_utilization: null })).toEqual([]);
    await agent.beats(120, {});
    await expectStaysOn(agent);
  });

  it('a window with a gap in its middle', async () => {
    const agent = await grown();
    await agent.beat(IDLE);
    await agent.beats(120, IDLE);
    await system.pass(75);
    await agent.beat(IDLE);
    expect(await agent.beats(150, IDLE)).toEqual([]);
    await expectStaysOn(agent);
  });

  it('a window with a gap at its end, after the warning', async () => {
    const agent = await warned();
    await system.pass(90);
    await until(
      'it was looked at once more',
      async () => (await agent.events()).includes('hibernation_cancelled'),
      20_000,
    );
    expect(await system.cloudState(agent.instanceId)).toBe('running');
  });
});

describe('stops no machine', () => {
  it('before its minimum uptime: the warning is 2 min before that', async () => {
    const agent = await client.agent();
    await agent.beat(IDLE);
    expect(await agent.beats(450, IDLE)).toEqual([]);
    const [warning] = await agent.beats(60, IDLE);
    expect(warning?.countdown_seconds).toBeGreaterThan(80);
    expect(warning?.countdown_seconds).toBeLessThanOrEqual(90);
    await agent.beats(60, IDLE);
    expect(await system.cloudState(agent.instanceId)).toBe('running');
    await system.pass(30);
    await agent.becomes('hibernated');
  });

  it('that is protected, also when it was warned before', async () => {
    const agent = await warned();
    await client.ask('PUT', `agents/${agent.id}/protection`, { protected: true });
    expect(await agent.beats(30, IDLE)).toEqual([]);
    await agent.beats(300, IDLE);
    await expectStaysOn(agent);
  });
});
