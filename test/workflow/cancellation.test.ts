/** What the Web UI's "Request Cancellation" does: never more than a person can have meant. */
import type { AgentStateView, SwitchAccepted } from '../../contracts/messages';
import { launchByHand, registration, startAgent } from '../harness/agents';
import { type ControlPlane, startControlPlane } from '../harness/control-plane';
import { startedWorkflow } from '../harness/temporal';
import { until } from '../harness/until';

let plane: ControlPlane;

beforeAll(async () => {
  plane = await startControlPlane();
}, 120_000);
afterAll(() => plane?.stop());

async function runningAgent(name: string, terminateWaitSeconds = 3600) {
  const { client, taskQueue, clientId, simulator } = plane;
  const agentId = `${name}-${taskQueue}`;
  const from = await launchByHand(simulator.ready);
  const first = registration(from, { terminateWaitSeconds });
  const handle = await startAgent(client, taskQueue, { clientId, agentId }, first);
  const state = () => handle.query<AgentStateView>('agentState');
  return { agentId, handle, from, first, state };
}

type Running = Awaited<ReturnType<typeof runningAgent>>;

async function control(route: string, body?: object): Promise<unknown> {
  const response = await fetch(`${plane.simulator.ready.controlUrl}/${route}`, {
    method: body ? 'POST' : 'GET',
    ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  expect(response.status).toBe(200);
  return response.json();
}

const states = (agentId: string) =>
  plane.db
    .selectFrom('instances')
    .select(['id', 'instance_status'])
    .where('agent_id', '=', agentId)
    .execute();

/** A switch whose launch has been made and whose candidate hasn't registered. */
async function switching({ agentId, handle }: Running) {
  const request = { priority: 'manual', targetMode: null, targetPool: null, terminateWaitSeconds: null };
  const args: [object] = [{ ...request, requestedBy: 'test', requestId: '1' }];
  const { switchWorkflowId } = await handle.executeUpdate<SwitchAccepted, [object]>('requestSwitch', {
    args,
  });
  const launches = () =>
    plane.db
      .selectFrom('system_events')
      .select('instance_id')
      .where('agent_id', '=', agentId)
      .where('event_type', '=', 'instance_launched')
      .execute();
  await until('the agent knows of the launch', async () => (await launches()).length === 1, 20_000);
  return { switchWorkflowId, launched: (await launches())[0]!.instance_id! };
}

it('leaves an agent alive: it goes on answering', async () => {
  const agent = await runningAgent('cancelled');
  await agent.handle.cancel();
  await agent.handle.signal('keepAlive', { minutes: 5 });
  await until('it has heard the signal', async () => (await agent.state()).keepAliveUntil !== null, 10_000);
  await expect(agent.handle.executeUpdate('register', { args: [agent.first] })).resolves.toMatchObject({
    result: 'accepted',
  });
  expect((await agent.handle.describe()).status.name).toBe('RUNNING');
});

it('ends a switch in the middle of its launch, and retires what that launched', async () => {
  const agent = await runningAgent('launch-cancelled');
  const fault = { action: 'RunInstances', kind: 'hang-after' };
  await control('faults', fault);
  const request = { priority: 'manual', targetMode: null, targetPool: null, terminateWaitSeconds: null };
  const args: [object] = [{ ...request, requestedBy: 'test', requestId: '1' }];
  const { switchWorkflowId } = await agent.handle.executeUpdate<SwitchAccepted, [object]>('requestSwitch', {
    args,
  });
  await until(
    'RunInstances hangs',
    async () =>
      ((await control('calls?action=RunInstances')) as { outcome: string }[]).some(
        (call) => call.outcome === 'hung',
      ),
    20_000,
  );
  await plane.client.workflow.getHandle(switchWorkflowId).cancel();
  await control('faults/release', {});
  await until('the switch has ended', async () => (await agent.state()).activeSwitch === null, 30_000);
  const intent = await plane.db
    .selectFrom('launch_intents')
    .selectAll()
    .where('agent_id', '=', agent.agentId)
    .executeTakeFirstOrThrow();
  expect(intent.instance_id).not.toBeNull();
  const retirement = await startedWorkflow(plane.client, `retire:${intent.instance_id}`);
  await expect(retirement.result()).resolves.toBe('terminated');
});

it('ends a switch, retires what it launched, and leaves the agent where it was', async () => {
  const agent = await runningAgent('switch-cancelled');
  const { switchWorkflowId, launched } = await switching(agent);
  await plane.client.workflow.getHandle(switchWorkflowId).cancel();
  await until('the switch has ended', async () => (await agent.state()).activeSwitch === null, 20_000);
  await (await startedWorkflow(plane.client, `retire:${launched}`)).result();
  expect(await agent.state()).toMatchObject({
    incarnation: 1,
    primary: { instanceId: agent.from.instanceId },
  });
  const books = await states(agent.agentId);
  expect(books.find((one) => one.id === launched)?.instance_status).toBe('terminated');
  expect(books.find((one) => one.id === agent.from.instanceId)?.instance_status).toBe('primary');
});

it('does the same for a switch that is terminated outright, once it is overdue', async () => {
  const agent = await runningAgent('switch-terminated');
  const policy = { ...agent.first.policy, switchDeadlineSeconds: 2, retrySeconds: 1 };
  await agent.handle.executeUpdate('register', { args: [{ ...agent.first, policy }] });
  const { switchWorkflowId, launched } = await switching(agent);
  await plane.client.workflow.getHandle(switchWorkflowId).terminate('by a person in the Web UI');
  await until('the agent has noticed', async () => (await agent.state()).activeSwitch === null, 30_000);
  const retirement = await startedWorkflow(plane.client, `retire:${launched}`);
  await expect(retirement.result()).resolves.toBe('terminated');
});

it('keeps the instance whose retirement it ends', async () => {
  const agent = await runningAgent('retirement-cancelled');
  const { launched } = await switching(agent);
  const intent = await plane.db
    .selectFrom('launch_intents')
    .selectAll()
    .where('instance_id', '=', launched)
    .executeTakeFirstOrThrow();
  const facts = { ...agent.from, instanceId: launched, zone: intent.az, mode: intent.mode };
  const launch = { launchId: intent.launch_id, switchNumber: 1 };
  await agent.handle.executeUpdate('register', { args: [{ ...agent.first, facts, launch }] });
  const receivedAt = new Date().toISOString();
  await agent.handle.signal('heartbeat', {
    instanceId: launched,
    revision: 1,
    health: 'healthy',
    mode: null,
    zone: null,
    receivedAt,
  });
  await until('the agent has moved', async () => (await agent.state()).activeSwitch === null, 20_000);
  const retirement = await startedWorkflow(plane.client, `retire:${agent.from.instanceId}`);
  await retirement.cancel();
  await expect(retirement.result()).resolves.toBe('kept');
  await until('the agent knows', async () => (await agent.state()).retirements.length === 0, 10_000);
  expect((await states(agent.agentId)).find((one) => one.id === agent.from.instanceId)?.instance_status).toBe(
    'zombie',
  );
});
