import { missing } from './errors';
import { refuseDryRun } from './request';
import type { Ec2Action } from './request';
import { readDescription, refuseTooMany } from './snapshot-limits';
import { snapshotXml } from './snapshot-xml';
import { readTagSpecifications } from './tags';
import { findVolume } from './volume-lookup';

/** Holds the volume as it is now, attached or not; is pending while the cloud copies it. */
export const createSnapshot: Ec2Action = {
  parameters: ['VolumeId', 'Description', 'TagSpecification', 'DryRun', 'OutpostArn', 'Location'],
  async run({ cloud, region, parameters, now }) {
    const volumeId = parameters.text('VolumeId');
    if (volumeId === null) throw missing('VolumeId');
    const description = readDescription(parameters);
    const tags = readTagSpecifications(parameters, 'snapshot', []);
    const volume = findVolume(cloud, region, volumeId);
    refuseTooMany(cloud, [volume], now);
    refuseDryRun(parameters);
    const snapshot = cloud.storage.snapshots.draft({ volume, description, tags }, now);
    const captured = cloud.storage.snapshots.take([snapshot], now);
    cloud.advance();
    const answer = snapshotXml(cloud, snapshot);
    await captured;
    return answer;
  },
};
