/** Replicas by real processes: the sources' scenarios of switching one on and off and promoting it, and a notice. */
import type { SystemEventView } from '../../contracts/http';
import type { ReplicaList, ReplicaView } from '../../contracts/replica-http';
import { recordHistory } from '../harness/histories';
import { type RunningAgent, System } from '../harness/system';
import { until } from '../harness/until';

let system: System;

beforeAll(async () => {
  system = await System.start({
    cloud: [
      ...['--synthetic', '1', '--boot-seconds', '0', '--shutdown-seconds', '1'],
      // A crashed agent stays away, as one on a hung machine does.
      ...['--restart-seconds', '3600'],
    ],
    policy: { heartbeatIntervalSeconds: 1, terminateWaitSeconds: 2, retrySeconds: 2 },
  });
}, 120_000);
afterAll(() => system?.stop());

async function replicasOf({ agentId }: RunningAgent): Promise<ReplicaView[]> {
  const { status, body } = await system.call(
    'GET',
    `agents/${agentId}/replicas`,
    undefined,
    system.tokens.user,
  );
  expect(status).toBe(200);
  return (body as unknown as ReplicaList).replicas;
}

const setMode = async ({ agentId }: RunningAgent, mode: string) => {
  expect(await system.call('PUT', `agents/${agentId}/replica-mode`, { mode })).toMatchObject({
    status: 200,
    body: { replica_mode: mode },
  });
};

async function readyReplica(agent: RunningAgent): Promise<ReplicaView> {
  const { instance_id } = (await agent.event('replica_ready')) as SystemEventView;
  let found: ReplicaView | undefined;
  await until(
    'its record says so',
    async () => {
      found = (await replicasOf(agent)).find((one) => one.instance_id === instance_id);
      return found?.status === 'ready';
    },
    10_000,
  );
  return found!;
}

const cloudState = async (instanceId: string | null) =>
  String((await system.control(`instances/${instanceId}`))['state']);

describe('an agent in manual replica mode', () => {
  let agent: RunningAgent;
  let replica: ReplicaView;

  it('has a record of its replica at once, and a replica in sync in another pool soon', async () => {
    agent = await system.agent('scenario-5', 'us-east-1a');
    await setMode(agent, 'manual');
    await until('there is a record', async () => (await replicasOf(agent)).length === 1, 10_000);
    replica = await readyReplica(agent);
    expect(replica).toMatchObject({
      replica_type: 'manual',
      sync_status: 'synced',
      state_transfer_progress: 100,
      workflow_id: `replica:${replica.id}`,
    });
    expect(Date.now() - Date.parse(replica.last_sync_at!)).toBeLessThan(10_000);
    expect(`${replica.instance_type} ${replica.az} ${replica.mode}`).not.toBe('p3.2xlarge us-east-1a spot');
  }, 90_000);

  it('is promoted by a person: the same agent, the next incarnation, and a new replica for the new primary', async () => {
    const { status, body } = await system.call('POST', `agents/${agent.agentId}/promote`);
    expect(status).toBe(202);
    expect(body).toMatchObject({ replica_id: replica.id, instance_id: replica.instance_id });
    await agent.event('replica_promoted');
    expect(await agent.state()).toMatchObject({
      incarnation: 2,
      primary: { instanceId: replica.instance_id },
      agentId: agent.agentId,
    });
    const next = await readyReplica(agent);
    recordHistory(`replica:${replica.id}`, 'replica-promoted');
    expect(next.id).not.toBe(replica.id);
    // Termination scenario 2: the old primary is a zombie, and is terminated after the wait.
    await agent.event('instance_terminated');
    expect(await cloudState(agent.firstInstanceId)).toBe('terminated');
    expect(await cloudState(replica.instance_id)).toBe('running');
    const standDown = await system.call('POST', `agents/${agent.agentId}/replicas/${replica.id}/promote`);
    expect(standDown).toMatchObject({ status: 409, body: { code: 'not_now' } });
  }, 90_000);

  it('has its replicas terminated when the mode is switched off', async () => {
    const [running] = await replicasOf(agent);
    await setMode(agent, 'none');
    expect((await agent.event('replica_terminated')).message).toContain('the replica mode is off');
    await agent.event('instance_terminated');
    expect(await cloudState(running!.instance_id)).toBe('terminated');
    // Termination scenario 1, in the words of its own query.
    const { rows } = await system.sql.query(
      `SELECT instance_id, instance_status, termination_confirmed, terminated_at
         FROM replica_instances WHERE agent_id = $1 ORDER BY terminated_at DESC NULLS LAST`,
      [agent.agentId],
    );
    expect(rows).toMatchObject([
      { instance_id: running!.instance_id, instance_status: 'terminated', termination_confirmed: true },
      { instance_id: replica.instance_id, instance_status: 'promoted', termination_confirmed: false },
    ]);
    expect(rows[0]).toMatchObject({ terminated_at: expect.any(Date) });
    recordHistory(`replica:${running!.id}`, 'replica-terminated');
    recordHistory(`agent:${agent.agentId}`, 'agent-with-replicas');
  }, 90_000);
});

it('a notice on the primary promotes the replica at once, and no instance is launched for it', async () => {
  const agent = await system.agent('noticed', 'us-east-1a');
  await setMode(agent, 'automatic');
  const replica = await readyReplica(agent);
  await system.control(`instances/${agent.firstInstanceId}/notice`, { seconds: 20 });
  const promoted = await agent.event('replica_promoted');
  expect(promoted).toMatchObject({ severity: 'warning', instance_id: replica.instance_id });
  expect(await agent.state()).toMatchObject({
    incarnation: 2,
    status: 'online',
    primary: { instanceId: replica.instance_id },
    activeSwitch: null,
  });
  expect((await readyReplica(agent)).id).not.toBe(replica.id);
}, 120_000);

it('a replica whose agent dies is not ready any more, and is not promoted', async () => {
  const agent = await system.agent('stale', 'us-east-1a');
  await setMode(agent, 'manual');
  const replica = await readyReplica(agent);
  await system.control(`instances/${replica.instance_id}/crash`, {});
  await agent.event('replica_not_ready');
  expect(await system.call('POST', `agents/${agent.agentId}/promote`)).toMatchObject({
    status: 409,
    body: { code: 'not_now' },
  });
}, 120_000);
