import type { Instance } from '../books/entities';
import { ROOT_DEVICE } from '../storage/disks';
import { Ec2Error, invalid, missing } from './errors';
import { findInstances } from './instance-lookup';
import { refuseDryRun } from './request';
import type { Ec2Action } from './request';
import { readDescription, refuseTooMany } from './snapshot-limits';
import { snapshotOfSetXml } from './snapshot-xml';
import { readTagSpecifications } from './tags';
import { findVolumes } from './volume-lookup';

/** One of each volume of an instance, all of the same moment. */
export const createSnapshots: Ec2Action = {
  parameters: [
    ...['InstanceSpecification', 'Description', 'TagSpecification', 'DryRun', 'CopyTagsFromSource'],
    ...['OutpostArn', 'Location'],
  ],
  async run({ cloud, region, parameters, now }) {
    const specification = parameters.group('InstanceSpecification');
    const instanceId = specification.text('InstanceId');
    if (instanceId === null) throw missing('InstanceSpecification.InstanceId');
    const description = readDescription(parameters);
    const tags = readTagSpecifications(parameters, 'snapshot', []);
    const copyTags = parameters.choice('CopyTagsFromSource', ['volume']) !== null;
    const [instance] = findInstances(cloud, region, [instanceId]);
    if (instance?.state !== 'running' && instance?.state !== 'stopped') {
      throw new Ec2Error('IncorrectState', `Instance '${instanceId}' is not 'running' or 'stopped'.`);
    }
    const without = specification.list('ExcludeDataVolumeId');
    const volumes = findVolumes(
      cloud,
      region,
      chosen(instance, specification.boolean('ExcludeBootVolume') ?? false, without),
    );
    refuseTooMany(cloud, volumes, now);
    refuseDryRun(parameters);
    const { snapshots } = cloud.storage;
    const taken = volumes.map((volume) =>
      snapshots.draft({ volume, description, tags: { ...(copyTags && volume.tags), ...tags } }, now),
    );
    const captured = snapshots.take(taken, now);
    cloud.advance();
    const answer = { snapshotSet: taken.map((snapshot) => snapshotOfSetXml(cloud, snapshot)) };
    await captured;
    return answer;
  },
};

function chosen({ devices }: Instance, withoutRoot: boolean, without: readonly string[]): string[] {
  const root = devices.find(({ name }) => name === ROOT_DEVICE)?.volumeId;
  for (const id of without) {
    if (id === root)
      throw invalid(`The volume '${id}' is the root volume; use ExcludeBootVolume to leave it out.`);
    if (!devices.some(({ volumeId }) => volumeId === id))
      throw invalid(`The volume '${id}' is not attached to the instance.`);
  }
  const ids = devices
    .map(({ volumeId }) => volumeId)
    .filter((id) => !without.includes(id) && !(withoutRoot && id === root));
  if (ids.length === 0) throw invalid('At least one volume must be left to make a snapshot of.');
  return ids;
}
