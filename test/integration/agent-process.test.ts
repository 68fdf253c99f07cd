/** The agent as a process, against a real API with a worker behind it and the metadata of a simulated instance. */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { AgentRun, launchMachine, type Machine } from '../harness/agent-run';
import { RunningApi } from '../harness/running-api';
import { type Simulator, startSimulator } from '../harness/simulator';
import { until } from '../harness/until';

let running: RunningApi;
let simulator: Simulator;
const agents: AgentRun[] = [];
let count = 0;

beforeAll(async () => {
  running = await RunningApi.start({ worker: true });
  const { port } = new URL(running.url);
  await running.api.restart({ env: { PORT: port } });
  const policy = { heartbeatIntervalSeconds: 0.5 };
  await running.sql.query('update clients set policy = $1', [JSON.stringify(policy)]);
  simulator = await startSimulator('--synthetic', '1', '--boot', 'none', '--boot-seconds', '0');
});

afterEach(async () => {
  await Promise.all(agents.splice(0).map((agent) => agent.kill()));
});

afterAll(async () => {
  await simulator.stop();
  await running.stop();
});

function machine(logicalAgentId = `logical-${++count}`): Promise<Machine & { logicalAgentId: string }> {
  return launchMachine(simulator, {
    server_url: running.url,
    logical_agent_id: logicalAgentId,
    client_token: running.alpha.client,
  }).then((made) => ({ ...made, logicalAgentId }));
}

function start(on: Pick<Machine, 'metadataUrl' | 'home'>, env: NodeJS.ProcessEnv = {}): AgentRun {
  const agent = new AgentRun(on, env);
  agents.push(agent);
  return agent;
}

const statePath = (on: Machine) => path.join(on.home, 'data', 'agent_state.json');
const stateOf = (on: Machine) => JSON.parse(readFileSync(statePath(on), 'utf8')) as Record<string, unknown>;

async function leaseState(instanceId: string): Promise<string | undefined> {
  const { rows } = await running.sql.query<{ state: string }>(
    'select state from leases where instance_id = $1',
    [instanceId],
  );
  return rows[0]?.state;
}

test('registers by its user data, beats, remembers, and says goodbye', async () => {
  const on = await machine();
  const agent = start(on);
  const agentId = /agent: (\S+)/.exec(await agent.line(/Agent registered as agent: /))![1]!;
  await agent.line(/Agent started - ID: /);
  await agent.line(new RegExp(`Instance: ${on.instanceId} \\(p3.2xlarge\\)`));
  await agent.line(/Heartbeat sent successfully/);
  await agent.line(/Heartbeat sent successfully/);
  const detail = await running.call('GET', `/api/agents/${agentId}`, running.alpha.user);
  expect(detail.body).toMatchObject({
    status: 'online',
    incarnation: 1,
    instance_id: on.instanceId,
    mode: 'spot',
    instances: [{ instance_id: on.instanceId, role: 'primary', account_id: simulator.ready.accountId }],
  });
  expect(stateOf(on)).toMatchObject({
    version: 1,
    agent_id: agentId,
    logical_agent_id: on.logicalAgentId,
    instance_id: on.instanceId,
    current_mode: 'spot',
    server_url: running.url,
    last_heartbeat: expect.stringMatching(/^20/),
    last_pricing_report: null,
    replica_mode: 'none',
    auto_switch_enabled: true,
    manual_replica_enabled: false,
    stood_down: null,
  });
  expect(statSync(statePath(on)).mode & 0o777).toBe(0o600);

  agent.signal('SIGTERM');
  expect(await agent.exited).toEqual({ code: 0, signal: null });
  expect(await leaseState(on.instanceId)).toBe('offline');
  await until(
    'the workflow knows',
    async () => {
      const { body } = await running.call('GET', `/api/agents/${agentId}`, running.alpha.user);
      return body.status === 'offline';
    },
    10_000,
  );
});

test('killed and started again, it goes on with the token it has', async () => {
  const on = await machine();
  const first = start(on);
  await first.line(/Heartbeat sent/);
  const { agent_token: token, agent_id: agentId } = stateOf(on);
  await first.kill();
  const second = start(on);
  await second.line(/Agent started/);
  await second.line(/Heartbeat sent/);
  expect(second.lines.join('\n')).not.toMatch(/registered/);
  expect(stateOf(on)).toMatchObject({ agent_token: token, agent_id: agentId });
});

test('deleted and installed anew on the same machine it is another agent, and online', async () => {
  const on = await machine();
  const first = start(on);
  await first.line(/Heartbeat sent/);
  const { agent_id: agentId } = stateOf(on);
  const listed = async (route: string) => {
    const { body } = await running.call('GET', `/api/client/alpha/agents${route}`, running.alpha.user);
    const all = body.agents as { agent_id: string; logical_agent_id: string; status: string }[];
    return all.filter((one) => one.logical_agent_id === on.logicalAgentId);
  };
  // What uninstalling leaves of it: a goodbye, and none of its files.
  first.signal('SIGTERM');
  await first.exited;
  expect((await running.call('DELETE', `/api/agents/${agentId as string}`, running.alpha.user)).status).toBe(
    200,
  );
  expect(await listed('')).toEqual([]);
  expect(await listed('/history')).toMatchObject([{ agent_id: agentId, status: 'deleted' }]);
  rmSync(on.home, { recursive: true });
  mkdirSync(on.home);

  await start(on).line(/Heartbeat sent/);
  const { agent_id: again } = stateOf(on);
  expect(again).not.toBe(agentId);
  expect(await listed('')).toMatchObject([{ agent_id: again, status: 'online' }]);
  expect(await listed('/history')).toMatchObject([{ agent_id: agentId }]);
});

test('a server that is down never ends it', async () => {
  await running.api.kill();
  const on = await machine();
  const agent = start(on);
  await agent.line(/Failed to register agent: .*ECONNREFUSED/);
  await running.api.restart();
  await agent.line(/Heartbeat sent/);
  await running.api.kill();
  await agent.line(/Heartbeat failed: /);
  await running.api.restart();
  await agent.line(/Heartbeat sent/);
});

test('told to stop while the server is away, it still ends within seconds', async () => {
  const on = await machine();
  const agent = start(on);
  await agent.line(/Heartbeat sent/);
  await running.api.kill();
  agent.signal('SIGTERM');
  const asked = Date.now();
  expect(await agent.exited).toEqual({ code: 0, signal: null });
  expect(Date.now() - asked).toBeLessThan(5_000);
  await running.api.restart();
});

test('of two machines with one logical id one is the agent, and the former stands down for good', async () => {
  const one = await machine('shared');
  const first = start(one);
  await first.line(/Heartbeat sent/);
  const two = await machine('shared');
  const second = start(two);
  await second.line(new RegExp(`Failed to register agent: .*already runs on ${one.instanceId}`));
  first.signal('SIGTERM');
  await first.exited;
  await second.line(/It is the agent's primary, incarnation 2/);
  await second.line(/Heartbeat sent/);

  const again = start(one);
  await again.line(/Standing down: /);
  expect(await again.exited).toEqual({ code: 0, signal: null });
  expect(stateOf(one).stood_down).toMatchObject({ message: expect.stringMatching(/2/) });
  const onceMore = start(one);
  await onceMore.line(/has stood down/);
  expect(await onceMore.exited).toEqual({ code: 0, signal: null });
  expect(onceMore.lines.join('\n')).not.toMatch(/Heartbeat/);
  await second.line(/Heartbeat sent/);
});

test('a corrupt state file is set aside', async () => {
  const on = await machine();
  mkdirSync(path.dirname(statePath(on)));
  writeFileSync(statePath(on), '{"version": 1, "agent_id"');
  const agent = start(on);
  await agent.line(/The state file was corrupt \(.*\); it is now .*corrupt-/);
  await agent.line(/Agent registered/);
  await agent.kill(); // It writes the file anew with each heartbeat.
  expect(readdirSync(path.dirname(statePath(on))).sort()).toEqual(
    expect.arrayContaining(['agent_state.json', expect.stringMatching(/^agent_state\.json\.corrupt-/)]),
  );
});

test("an image's copy of another machine's state counts for nothing", async () => {
  const maker = await machine();
  const original = start(maker);
  await original.line(/Heartbeat sent/);
  const copy = await machine();
  cpSync(maker.home, copy.home, { recursive: true });
  const agent = start(copy);
  await agent.line(new RegExp(`state file is of instance ${maker.instanceId}`));
  await agent.line(/Agent registered/);
  expect(stateOf(copy).agent_id).not.toBe(stateOf(maker).agent_id);
  expect(stateOf(copy).instance_id).toBe(copy.instanceId);
});

test('a revoked token makes it register again', async () => {
  const on = await machine();
  const agent = start(on);
  await agent.line(/Heartbeat sent/);
  await running.sql.query(`update tokens set revoked_at = now() where instance_id = $1`, [on.instanceId]);
  await agent.line(/Heartbeat failed: The token is unknown or was revoked/);
  await agent.line(/Agent registered/);
  await agent.line(/Heartbeat sent/);
});

test("EC2's notice reaches the server once, also when it has to wait for it", async () => {
  const on = await machine();
  const agent = start(on);
  await agent.line(/Heartbeat sent/);
  await running.api.kill();
  await fetch(`${simulator.ready.controlUrl}/instances/${on.instanceId}/notice`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"seconds":120}',
  });
  await agent.line(/EC2 will terminate this instance at /);
  await agent.line(/The termination notice could not be reported/);
  await running.api.restart();
  await agent.line(/Termination notice reported/);
  await agent.line(/Heartbeat sent/);
  await agent.line(/Heartbeat sent/);
  await until('the event is recorded', async () => (await notices(on.instanceId)) === 1, 10_000);
  expect(agent.lines.filter((line) => line.includes('Termination notice reported'))).toHaveLength(1);
});

async function notices(instanceId: string): Promise<number> {
  const { rows } = await running.sql.query(
    `select from system_events where event_type = 'termination_notice' and instance_id = $1`,
    [instanceId],
  );
  return rows.length;
}

test('unusable settings end it with 2 and a sentence', async () => {
  const bare = await launchMachine(simulator, null);
  const agent = start(bare, { SPOT_OPTIMIZER_SERVER_URL: 'ftp://x', LOGICAL_AGENT_ID: 'a' });
  await agent.line(/SPOT_OPTIMIZER_SERVER_URL is not usable: got "ftp:\/\/x"; it takes/);
  await agent.line(/SPOT_OPTIMIZER_CLIENT_TOKEN is not set/);
  expect(await agent.exited).toEqual({ code: 2, signal: null });
  const slow = start(bare, { HEARTBEAT_INTERVAL: '-1' });
  await slow.line(/HEARTBEAT_INTERVAL is not usable: got "-1"/);
  expect(await slow.exited).toEqual({ code: 2, signal: null });
});
