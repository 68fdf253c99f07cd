/** The last look before a termination, and a cloud that knows nothing: no machine in use ends, and no end is made up. */
import type { AgentStateView } from '../../contracts/messages';
import { launchByHand, registration, startAgent } from '../harness/agents';
import { type ControlPlane, startControlPlane } from '../harness/control-plane';
import { until } from '../harness/until';

let plane: ControlPlane;

beforeAll(async () => {
  plane = await startControlPlane();
}, 120_000);
afterAll(() => plane?.stop());

const policy = { terminateWaitSeconds: 1, retrySeconds: 1 };

it('does not terminate a machine that runs another agent by now', async () => {
  const { client, taskQueue, clientId, simulator, db } = plane;
  const shared = await launchByHand(simulator.ready);
  const first = await startAgent(
    client,
    taskQueue,
    { clientId, agentId: `first-${taskQueue}` },
    registration(shared, policy),
  );
  await startAgent(
    client,
    taskQueue,
    { clientId, agentId: `second-${taskQueue}` },
    registration(shared, policy),
  );
  const next = await launchByHand(simulator.ready);
  const receivedAt = new Date().toISOString();
  await first.signal('goneOffline', { instanceId: shared.instanceId, revision: 1, receivedAt });
  await startRetirement(shared.instanceId, `first-${taskQueue}`);
  await expect(client.workflow.getHandle(`retire:${shared.instanceId}`).result()).resolves.toBe('refused');
  const row = await db
    .selectFrom('instances')
    .selectAll()
    .where('id', '=', shared.instanceId)
    .executeTakeFirstOrThrow();
  expect(row.termination_attempted_at).toBeNull();
  expect(next.instanceId).not.toBe(shared.instanceId);
});

it('calls nothing terminated that EC2 has never shown', async () => {
  const { client, taskQueue, clientId, simulator, db } = plane;
  const agentId = `elsewhere-${taskQueue}`;
  const here = await launchByHand(simulator.ready);
  // Another account's: this one answers NotFound to everything about it.
  const elsewhere = { ...here, instanceId: 'i-0123456789abcdef0' };
  const handle = await startAgent(client, taskQueue, { clientId, agentId }, registration(elsewhere, policy));
  await handle.signal('heartbeatLost', {
    instanceId: elsewhere.instanceId,
    revision: 1,
    lastHeartbeatAt: new Date().toISOString(),
  });
  const state = () => handle.query<AgentStateView>('agentState');
  await until('it is silent', async () => (await state()).status === 'silent', 20_000);
  expect((await state()).primary?.instanceId).toBe(elsewhere.instanceId);
  const receivedAt = new Date().toISOString();
  await handle.signal('goneOffline', { instanceId: elsewhere.instanceId, revision: 2, receivedAt });
  await handle.executeUpdate('register', { args: [registration(here, policy)] });
  await startRetirement(elsewhere.instanceId, agentId);
  const proofs = async () =>
    (await client.workflow.getHandle(`retire:${elsewhere.instanceId}`).describe()).raw.pendingActivities ??
    [];
  await until(
    'the proof was tried again',
    async () => (await proofs()).some((one) => (one.attempt ?? 0) >= 3),
    30_000,
  );
  const row = await db
    .selectFrom('instances')
    .selectAll()
    .where('id', '=', elsewhere.instanceId)
    .executeTakeFirstOrThrow();
  expect(row).toMatchObject({ instance_status: 'terminating', termination_confirmed: false });
  await client.workflow.getHandle(`retire:${elsewhere.instanceId}`).terminate('the test is over');
}, 60_000);

async function startRetirement(instanceId: string, agentId: string): Promise<void> {
  const { client, taskQueue, clientId, simulator } = plane;
  const { accountId, region } = simulator.ready;
  const markedAt = new Date().toISOString();
  const address = { clientId, agentId, logicalAgentId: agentId, instanceId, accountId, region };
  await client.workflow.start('retirementWorkflow', {
    workflowId: `retire:${instanceId}`,
    taskQueue,
    args: [{ ...address, reason: 'superseded', markedAt, waitSeconds: 0, retrySeconds: 1 }],
  });
}
