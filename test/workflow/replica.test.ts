/** A replica's own workflow, on the real server, without an agent: what it remembers over continue-as-new. */
import type { ReplicaInput, ReplicaStateView } from '../../contracts/replicas';
import { DEFAULT_POLICY } from '../../contracts/policy-defaults';
import { type ControlPlane, startControlPlane } from '../harness/control-plane';
import { launchByHand } from '../harness/agents';
import { until } from '../harness/until';

let plane: ControlPlane;

beforeAll(async () => {
  plane = await startControlPlane();
}, 120_000);
afterAll(() => plane?.stop());

async function launchedReplica(policy: Partial<ReplicaInput['policy']> = {}) {
  const { client, simulator, taskQueue, clientId } = plane;
  const replicaId = `${taskQueue}-${Math.random().toString(36).slice(2)}-r1`;
  const primary = await launchByHand(simulator.ready);
  const input: ReplicaInput = {
    clientId,
    agentId: `nobody-${replicaId}`,
    logicalAgentId: 'nobody',
    replicaId,
    replicaType: 'manual',
    primary,
    toIncarnation: 2,
    reason: 'a test',
    policy: { ...DEFAULT_POLICY, ...policy },
    historyLimitEvents: 60,
  };
  const workflowId = `replica:${replicaId}`;
  const handle = await client.workflow.start('replicaWorkflow', { workflowId, taskQueue, args: [input] });
  const view = () => handle.query<ReplicaStateView>('replicaState');
  await until('it is launched', async () => (await view()).phase === 'awaiting_agent', 30_000);
  const { launchId, instanceId } = (await view()).attempts[0]!;
  return { handle: client.workflow.getHandle(workflowId), view, launchId, instanceId: instanceId!, primary };
}

it('goes on with what it knew in another run, ignores what is older, and ends when told to', async () => {
  const { handle, view, launchId, instanceId, primary } = await launchedReplica();
  expect((await view()).attempts[0]!.pool).not.toMatchObject({ zone: primary.zone, option: primary.mode });
  await handle.signal('candidateRegistered', { instanceId, launchId });
  const { runId } = await handle.describe();
  let revision = 0;
  const sync = (ready: boolean, at = ++revision) =>
    handle.signal('syncStatus', { instanceId, revision: at, ready, message: ready ? 'in sync' : 'behind' });
  await until(
    'another run goes on',
    async () => {
      await sync(revision % 2 === 0);
      return (await handle.describe()).runId !== runId;
    },
    30_000,
  );
  await sync(true);
  const phase = async () => (await handle.query<ReplicaStateView>('replicaState')).phase;
  await until('it is ready', async () => (await phase()) === 'ready', 10_000);
  await sync(false, revision - 1);
  await handle.signal('syncStatus', 'soon');
  const state = await handle.query<ReplicaStateView>('replicaState');
  expect(state).toMatchObject({ phase: 'ready', attempts: [{ instanceId, launchId }] });
  expect(state.rejectedMessages).toEqual([expect.stringContaining('syncStatus')]);
  await handle.signal('terminate', { reason: 'enough' });
  expect(await handle.result()).toMatchObject({ phase: 'ended', outcome: 'terminated', message: 'enough' });
});

it('fails when no agent registers from any launch, and leaves each launch to be retired', async () => {
  const { handle } = await launchedReplica({ candidateDeadlineSeconds: 0.2 });
  const ended = (await handle.result()) as ReplicaStateView;
  expect(ended).toMatchObject({ outcome: 'failed', message: expect.stringContaining('no agent registered') });
  expect(ended.attempts.length).toBeGreaterThan(1);
});

it('fails when it is not in sync for longer than policy allows', async () => {
  const { handle, instanceId, launchId } = await launchedReplica({ replicaSyncDeadlineSeconds: 0.5 });
  await handle.signal('candidateRegistered', { instanceId, launchId });
  expect(await handle.result()).toMatchObject({
    outcome: 'failed',
    message: expect.stringContaining('not in sync'),
  });
});
