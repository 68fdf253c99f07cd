import { volumeState } from '../storage/states';
import { Ec2Error, missing } from './errors';
import { refuseDryRun } from './request';
import type { Ec2Action } from './request';
import { findVolume } from './volume-lookup';

/** One that no instance has; its snapshots stay. */
export const deleteVolume: Ec2Action = {
  parameters: ['VolumeId', 'DryRun'],
  run({ cloud, region, parameters, now }) {
    const volumeId = parameters.text('VolumeId');
    if (volumeId === null) throw missing('volume');
    const volume = findVolume(cloud, region, volumeId);
    const state = volumeState(volume, now);
    switch (state) {
      case 'in-use':
        throw new Ec2Error(
          'VolumeInUse',
          `Volume ${volumeId} is currently attached to ${volume.attachment?.instanceId}`,
        );
      case 'creating':
      case 'deleting':
        throw new Ec2Error('IncorrectState', `The volume '${volumeId}' is '${state}'`);
      case 'available':
        break;
    }
    refuseDryRun(parameters);
    cloud.storage.volumes.remove(volume, now);
    cloud.advance();
    return { return: true };
  },
};
