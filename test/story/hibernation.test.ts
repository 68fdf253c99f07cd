/** Machines put to rest and woken, by real processes: for silence, for a person, with the stop switch set, and deleted. */
import {
  AttachVolumeCommand,
  CreateVolumeCommand,
  DescribeImagesCommand,
  DescribeVolumesCommand,
  EC2Client,
} from '@aws-sdk/client-ec2';
import { recordHistory } from '../harness/histories';
import { until } from '../harness/until';
import { type RunningAgent, System } from '../harness/system';

let system: System;

beforeAll(async () => {
  system = await System.start({
    // A crashed agent stays away, as one on a hung machine does.
    cloud: [
      '--synthetic',
      '1',
      '--boot-seconds',
      '0',
      '--image-seconds',
      '1',
      '--shutdown-seconds',
      '1',
      '--restart-seconds',
      '3600',
    ],
    policy: {
      heartbeatIntervalSeconds: 1,
      orphanAfterSeconds: 4,
      hibernateAfterSilenceSeconds: 5,
      forceStopAfterSilenceSeconds: 60,
      retrySeconds: 2,
      terminateWaitSeconds: 2,
    },
  });
}, 120_000);
afterAll(() => system?.stop());

async function cloudState(instanceId: string): Promise<string> {
  return String((await system.control(`instances/${instanceId}`))['state']);
}

const reaches = (instanceId: string, state: string) =>
  until(`${instanceId} is ${state}`, async () => (await cloudState(instanceId)) === state, 60_000);

const crash = (agent: RunningAgent) => system.control(`instances/${agent.firstInstanceId}/crash`, {});

/** The owner's own client of EC2. */
async function asOwner<T>(work: (ec2: EC2Client) => Promise<T>): Promise<T> {
  const { region, cloudUrl } = system.simulator.ready;
  const credentials = { accessKeyId: 'person', secretAccessKey: 'person' };
  const ec2 = new EC2Client({ region, endpoint: cloudUrl, credentials });
  return work(ec2).finally(() => ec2.destroy());
}

function attachDataVolume(instanceId: string): Promise<void> {
  return asOwner(async (ec2) => {
    const zone = String((await system.control(`instances/${instanceId}`))['zone']);
    const { VolumeId } = await ec2.send(new CreateVolumeCommand({ AvailabilityZone: zone, Size: 20 }));
    await until(
      'the volume is available',
      async () => {
        const { Volumes } = await ec2.send(new DescribeVolumesCommand({ VolumeIds: [VolumeId!] }));
        return Volumes?.[0]?.State === 'available';
      },
      20_000,
    );
    await ec2.send(new AttachVolumeCommand({ VolumeId, InstanceId: instanceId, Device: '/dev/sdf' }));
  });
}

/** The snapshots that a machine's volumes were made from, by device. */
function volumeSources(instanceId: string): Promise<[string, string][]> {
  return asOwner(async (ec2) => {
    const Filters = [{ Name: 'attachment.instance-id', Values: [instanceId] }];
    const { Volumes = [] } = await ec2.send(new DescribeVolumesCommand({ Filters }));
    return Volumes.map(({ Attachments, SnapshotId }): [string, string] => [
      Attachments?.[0]?.Device ?? '',
      SnapshotId ?? '',
    ]).sort();
  });
}

function imageSnapshots(imageId: string): Promise<[string, string][]> {
  return asOwner(async (ec2) => {
    const { Images = [] } = await ec2.send(new DescribeImagesCommand({ ImageIds: [imageId] }));
    return (Images[0]?.BlockDeviceMappings ?? [])
      .map(({ DeviceName, Ebs }): [string, string] => [DeviceName ?? '', Ebs?.SnapshotId ?? ''])
      .sort();
  });
}

it('makes an image of a silent spot machine, ends it, and resumes the agent from that under its own id', async () => {
  const agent = await system.agent('silent-spot');
  await attachDataVolume(agent.firstInstanceId);
  await crash(agent);
  await agent.event('agent_orphaned');
  const rested = await agent.event('agent_hibernated');
  expect(rested).toMatchObject({ severity: 'warning', details: { cause: 'silence', method: 'image' } });
  await reaches(agent.firstInstanceId, 'terminated');
  expect(await agent.state()).toMatchObject({ status: 'hibernated', primary: null, incarnation: 1 });

  const { status, body } = await system.call('POST', `agents/${agent.agentId}/resume`);
  expect(status).toBe(202);
  expect(body['workflow_id']).toBe(`switch:${agent.agentId}:1`);
  await agent.event('switch_completed');
  const state = await agent.state();
  expect(state).toMatchObject({ status: 'online', incarnation: 2, hibernation: null });
  const launched = await system.control(`instances/${state.primary?.instanceId}`);
  const imageId = String((rested.details as Record<string, unknown>)['image_id']);
  expect(launched['image_id']).toBe(imageId);
  // With its state: every disk, the data volume too, is made from what the image saved of it.
  const disks = await volumeSources(String(state.primary?.instanceId));
  expect(disks.map(([device]) => device)).toContain('/dev/sdf');
  expect(disks).toHaveLength(2);
  expect(disks).toEqual(await imageSnapshots(imageId));
  recordHistory(`hibernate:${agent.agentId}:1`, 'hibernate-imaged');
  recordHistory(`agent:${agent.agentId}`, 'agent-hibernated');
}, 120_000);

it('stops an on-demand machine for a person, keeps it as the primary, and starts it again', async () => {
  const agent = await system.agent('stopped', undefined, 'ondemand');
  expect((await system.call('POST', `agents/${agent.agentId}/hibernate`)).status).toBe(202);
  const rested = await agent.event('agent_hibernated');
  expect(rested).toMatchObject({ severity: 'info', details: { cause: 'person', method: 'stop' } });
  expect(await cloudState(agent.firstInstanceId)).toBe('stopped');
  expect(await agent.state()).toMatchObject({
    status: 'hibernated',
    primary: { instanceId: agent.firstInstanceId },
  });
  expect((await system.call('POST', `agents/${agent.agentId}/switch`, {})).body).toMatchObject({
    code: 'not_now',
  });

  expect((await system.call('POST', `agents/${agent.agentId}/resume`)).status).toBe(202);
  await agent.event('agent_resumed');
  await agent.event('agent_online');
  const stops = await system.sql.query(
    `select asked_at < stopped_at as asked, started_at > stopped_at as started from instance_stops
     where instance_id = $1`,
    [agent.firstInstanceId],
  );
  expect(stops.rows).toEqual([{ asked: true, started: true }]);
  recordHistory(`hibernate:${agent.agentId}:1`, 'hibernate-stopped');
  recordHistory(`resume:${agent.agentId}:2`, 'resume-started');
  expect(await agent.state()).toMatchObject({
    status: 'online',
    incarnation: 1,
    primary: { instanceId: agent.firstInstanceId },
  });
}, 120_000);

it('leaves a protected agent running however long it is silent', async () => {
  const agent = await system.agent('protected');
  const put = await system.call('PUT', `agents/${agent.agentId}/protection`, { protected: true });
  expect(put).toMatchObject({ status: 200, body: { protected: true } });
  await crash(agent);
  const held = await agent.event('hibernation_held');
  expect(held.message).toContain('it is protected');
  expect(await cloudState(agent.firstInstanceId)).toBe('running');
  expect(await agent.state()).toMatchObject({ status: 'orphaned' });
}, 120_000);

it('ends nothing while the stop switch is set, and goes on when it is lifted', async () => {
  const agent = await system.agent('held');
  const set = await system.call('PUT', 'stop-switch', { reason: 'looking into a bill' });
  expect(set.body).toMatchObject({
    holds: true,
    switches: [{ scope: 'system', reason: 'looking into a bill' }],
  });
  await crash(agent);
  const failed = await agent.event('hibernation_failed');
  expect(failed).toMatchObject({ details: { cause: 'silence', outcome: 'held' } });
  const held = await agent.event('stop_held');
  expect(held.message).toContain('looking into a bill');
  // It is a one-time spot machine, which could only be imaged and ended.
  expect(await agent.state()).toMatchObject({
    primary: { instanceId: agent.firstInstanceId },
    hibernation: null,
  });
  const first = system.temporal.client.workflow.getHandle(`hibernate:${agent.agentId}:1`);
  expect(await first.result()).toMatchObject({ outcome: 'held', method: null, imageId: null });
  expect(await cloudState(agent.firstInstanceId)).toBe('running');
  expect((await system.call('DELETE', 'stop-switch')).body).toEqual({ holds: false, switches: [] });
  await agent.event('agent_hibernated');
  await reaches(agent.firstInstanceId, 'terminated');
}, 120_000);

describe('a deleted agent', () => {
  it('leaves its machine to its owner, is in the history only, and its logical id means a new agent', async () => {
    const agent = await system.agent('deleted');
    const gone = await system.call('DELETE', `agents/${agent.agentId}`);
    expect(gone).toMatchObject({ status: 200, body: { retirement_workflow_id: null } });
    const active = await system.call('GET', `client/${system.clientId}/agents`);
    const ids = (active.body['agents'] as { agent_id: string }[]).map((one) => one.agent_id);
    expect(ids).not.toContain(agent.agentId);
    expect((await system.call('GET', `agents/${agent.agentId}`)).body).toMatchObject({ status: 'deleted' });
    expect(await cloudState(agent.firstInstanceId)).toBe('running');
    const [machine] = await agent.instances();
    expect(machine?.instance_status).not.toBe('terminating');
    // Its agent hears of it, ends, and doesn't register by itself again.
    await until(
      'the agent has ended',
      async () => (await agent.cloudInstances())[0]?.agent_pid === null,
      20_000,
    );
    // The workflow has nothing left to wind up.
    const handle = system.temporal.client.workflow.getHandle(`agent:${agent.agentId}`);
    await until(
      'its workflow has ended',
      async () => (await handle.describe()).status.name === 'COMPLETED',
      20_000,
    );
    expect((await system.call('DELETE', `agents/${agent.agentId}`)).status).toBe(200);
    recordHistory(`agent:${agent.agentId}`, 'agent-deleted');
    const again = await system.agent('deleted');
    expect(again.agentId).not.toBe(agent.agentId);
  }, 120_000);

  it('has its zombie ended after the wait, while its new machine is kept', async () => {
    const agent = await system.agent('moved');
    await system.call('POST', `agents/${agent.agentId}/switch`, {});
    await agent.event('cut_over');
    const { primary } = await agent.state();
    expect(primary?.instanceId).not.toBe(agent.firstInstanceId);
    expect((await system.call('DELETE', `agents/${agent.agentId}`)).status).toBe(200);
    await reaches(agent.firstInstanceId, 'terminated');
    expect(await cloudState(primary!.instanceId)).toBe('running');
  }, 120_000);

  it('has its machine ended when that is asked for', async () => {
    const agent = await system.agent('retired');
    const { body } = await system.call('DELETE', `agents/${agent.agentId}?instances=retire`);
    expect(body['retirement_workflow_id']).toBe(`retire:${agent.firstInstanceId}`);
    await reaches(agent.firstInstanceId, 'terminated');
  }, 120_000);
});
