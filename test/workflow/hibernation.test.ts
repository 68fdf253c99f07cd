/** Putting a machine to rest, taken back in time: a hibernation's own workflow on the real server, without an agent. */
import type { HibernationInput, HibernationResult, HibernationStateView } from '../../contracts/messages';
import { DEFAULT_POLICY } from '../../contracts/policy-defaults';
import type { PurchaseOption } from '../../contracts/states';
import { launchByHand } from '../harness/agents';
import { type ControlPlane, startControlPlane } from '../harness/control-plane';
import { until } from '../harness/until';

let plane: ControlPlane;

beforeAll(async () => {
  plane = await startControlPlane();
}, 120_000);
afterAll(() => plane?.stop());

async function control(route: string, body?: unknown): Promise<Record<string, unknown>> {
  const response = await fetch(`${plane.simulator.ready.controlUrl}/${route}`, {
    ...(body !== undefined && {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  });
  return (await response.json()) as Record<string, unknown>;
}

let count = 0;

async function hibernation(option: PurchaseOption) {
  const { client, simulator, taskQueue, clientId } = plane;
  const instance = await launchByHand(simulator.ready, option);
  const agentId = `rests-${taskQueue}-${++count}`;
  const input: HibernationInput = {
    clientId,
    agentId,
    logicalAgentId: agentId,
    number: 1,
    instance,
    cause: 'person',
    force: false,
    reason: 'a test',
    policy: DEFAULT_POLICY,
  };
  const workflowId = `hibernate:${agentId}:1`;
  const handle = await client.workflow.start('hibernationWorkflow', { workflowId, taskQueue, args: [input] });
  const phase = async () => (await handle.query<HibernationStateView>('hibernationState')).phase;
  const state = async () => (await control(`instances/${instance.instanceId}`))['state'];
  return { handle, phase, state, result: () => handle.result() as Promise<HibernationResult> };
}

it('ends as soon as it is cancelled, however long an image still takes', async () => {
  const { handle, phase, state, result } = await hibernation('spot');
  await until('the image is being made', async () => (await phase()) === 'saving', 20_000);
  await handle.signal('cancel', { reason: 'its GPU is busy again' });
  expect(await result()).toMatchObject({
    outcome: 'cancelled',
    message: expect.stringContaining('its GPU is busy again'),
  });
  expect(await state()).toBe('running');
});

it('stops nothing any more when EC2 listens again after it was cancelled', async () => {
  await control('faults', { action: 'StopInstances', kind: 'RequestLimitExceeded', status: 503, count: 100 });
  const { handle, state, result } = await hibernation('ondemand');
  await control('calls/wait?action=StopInstances&after=0&timeout_seconds=60');
  await handle.signal('cancel', { reason: 'its agent is heard again' });
  expect(await result()).toMatchObject({ outcome: 'cancelled', message: 'its agent is heard again' });
  await control('faults/clear', {});
  expect(await state()).toBe('running');
});
