/** Volumes. Source: EC2 API reference, AttachVolume, DetachVolume, DescribeVolumes. */
import { AttachVolumeCommand, CreateVolumeCommand } from '@aws-sdk/client-ec2';
import type { VolumeDescription } from '../../cloud/volume-port';
import { until } from '../harness/until';
import { type CloudUnderTest, refusal, unknownIds } from './cloud-under-test';
import type { Contracts } from './contracts';

function volumeIs(
  cloud: CloudUnderTest,
  volumeId: string,
  is: (volume: VolumeDescription) => boolean,
): Promise<VolumeDescription> {
  return until(
    `${volumeId} is as expected`,
    async () => {
      const volume = (await cloud.port.volumes.describe([volumeId])).found.get(volumeId);
      return volume && is(volume) ? volume : null;
    },
    15_000,
  );
}

async function dataVolume(cloud: CloudUnderTest, zone = cloud.facts.zones[0]): Promise<string> {
  const command = new CreateVolumeCommand({ AvailabilityZone: zone, Size: 8, VolumeType: 'gp3' });
  const { VolumeId } = await cloud.ec2.send(command);
  await volumeIs(cloud, VolumeId!, ({ state }) => state === 'available');
  return VolumeId!;
}

const device = '/dev/sdf';
const isAttached = ({ attachments }: VolumeDescription) => attachments[0]?.state === 'attached';

export const volumeContracts: Contracts = {
  async 'an instance has its root volume'(cloud) {
    const { instanceId, volumes, zone } = await cloud.running();
    const [root, ...others] = await cloud.port.volumes.ofInstance(instanceId);
    expect(others).toEqual([]);
    expect(root).toMatchObject({ volumeId: volumes[0]?.volumeId, zone, state: 'in-use' });
    expect(root?.attachments).toMatchObject([{ instanceId, state: 'attached' }]);
  },

  async 'a root volume ends with its instance'(cloud) {
    const { instanceId, volumes } = await cloud.running();
    expect(volumes[0]?.deleteOnTermination).toBe(true);
    const [root] = await cloud.port.volumes.ofInstance(instanceId);
    expect(root?.attachments[0]?.deleteOnTermination).toBe(true);
    await cloud.port.instances.terminate([instanceId]);
    await cloud.inState(instanceId, 'terminated');
    await until(
      'its volume is gone',
      async () => (await cloud.port.volumes.describe([root!.volumeId])).unknown.length === 1,
      15_000,
    );
  },

  async 'a volume attaches, and detaches'(cloud) {
    const [{ instanceId }, volumeId] = await Promise.all([cloud.running(), dataVolume(cloud)]);
    const request = { volumeId, instanceId, device };
    expect(await cloud.port.volumes.attach(request)).toEqual({ outcome: 'requested' });
    expect(await volumeIs(cloud, volumeId, isAttached)).toMatchObject({
      state: 'in-use',
      attachments: [{ instanceId, device, deleteOnTermination: false }],
    });
    expect(await cloud.port.volumes.attach(request)).toEqual({ outcome: 'requested' });
    expect(await cloud.port.volumes.detach({ volumeId, instanceId })).toEqual({ outcome: 'requested' });
    await volumeIs(cloud, volumeId, ({ state }) => state === 'available');
    expect(await cloud.port.volumes.detach({ volumeId, instanceId })).toEqual({ outcome: 'not_attached' });
  },

  async 'a volume that hangs on one instance is in use for another'(cloud) {
    const [one, other, volumeId] = await Promise.all([cloud.running(), cloud.running(), dataVolume(cloud)]);
    await cloud.port.volumes.attach({ volumeId, instanceId: one.instanceId, device });
    await volumeIs(cloud, volumeId, isAttached);
    const second = { volumeId, instanceId: other.instanceId, device };
    expect(await cloud.port.volumes.attach(second)).toMatchObject({ outcome: 'in_use' });
    expect(await cloud.port.volumes.detach(second)).toEqual({ outcome: 'not_attached' });
    expect((await volumeIs(cloud, volumeId, isAttached)).attachments[0]?.instanceId).toBe(one.instanceId);
  },

  async 'a volume stays in its zone'(cloud) {
    const volumeId = await dataVolume(cloud, cloud.facts.zones[1]);
    const { instanceId } = await cloud.running();
    const command = new AttachVolumeCommand({ VolumeId: volumeId, InstanceId: instanceId, Device: device });
    expect(await refusal(cloud.ec2.send(command))).toEqual({
      code: 'InvalidVolume.ZoneMismatch',
      status: 400,
    });
    expect(await cloud.port.volumes.attach({ volumeId, instanceId, device })).toMatchObject({
      outcome: 'other_zone',
    });
  },

  async 'the root volume of a running instance stays'(cloud) {
    const { instanceId, volumes } = await cloud.running();
    const volumeId = volumes[0]!.volumeId;
    const detached = await cloud.port.volumes.detach({ volumeId, instanceId });
    expect(detached).toMatchObject({ outcome: 'wrong_state' });
    expect((await volumeIs(cloud, volumeId, isAttached)).state).toBe('in-use');
  },

  async 'a data volume outlives the instance it hung on'(cloud) {
    const [{ instanceId }, volumeId] = await Promise.all([cloud.running(), dataVolume(cloud)]);
    await cloud.port.volumes.attach({ volumeId, instanceId, device });
    await volumeIs(cloud, volumeId, isAttached);
    await cloud.port.instances.terminate([instanceId]);
    await cloud.inState(instanceId, 'terminated');
    await volumeIs(
      cloud,
      volumeId,
      ({ state, attachments }) => state === 'available' && attachments.length === 0,
    );
  },

  async 'one unknown id hides none of the others'(cloud) {
    const volumeId = await dataVolume(cloud);
    const { found, unknown } = await cloud.port.volumes.describe([
      unknownIds.volume,
      volumeId,
      'vol-nonsense',
    ]);
    expect([...found.keys()]).toEqual([volumeId]);
    expect(unknown.sort()).toEqual([unknownIds.volume, 'vol-nonsense'].sort());
  },

  async 'what is not there neither attaches nor detaches'(cloud) {
    const { instanceId } = await cloud.running();
    const request = { volumeId: unknownIds.volume, instanceId, device };
    await expect(cloud.port.volumes.attach(request)).rejects.toMatchObject({
      kind: 'never',
      code: 'InvalidVolume.NotFound',
    });
    expect(await cloud.port.volumes.detach(request)).toMatchObject({ outcome: 'unknown' });
  },
};
