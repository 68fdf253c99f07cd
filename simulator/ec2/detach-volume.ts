import { ROOT_DEVICE } from '../storage/disks';
import { Ec2Error, missing } from './errors';
import { refuseDryRun } from './request';
import type { Ec2Action } from './request';
import { findVolume } from './volume-lookup';
import { attachmentXml } from './volume-xml';

/** Off the instance that has it. Force changes nothing here, since no volume is ever stuck. */
export const detachVolume: Ec2Action = {
  parameters: ['VolumeId', 'InstanceId', 'Device', 'Force', 'DryRun'],
  run({ cloud, region, parameters, now }) {
    const volumeId = parameters.text('VolumeId');
    if (volumeId === null) throw missing('volume');
    parameters.boolean('Force');
    const instanceId = parameters.text('InstanceId');
    const device = parameters.text('Device');
    const volume = findVolume(cloud, region, volumeId);
    const { attachment } = volume;
    if (!attachment) {
      throw new Ec2Error('IncorrectState', `Volume '${volumeId}' is in the 'available' state.`);
    }
    if (
      (instanceId !== null && instanceId !== attachment.instanceId) ||
      (device !== null && device !== attachment.device)
    ) {
      throw new Ec2Error(
        'InvalidAttachment.NotFound',
        `The volume '${volumeId}' is not attached to instance '${instanceId ?? attachment.instanceId}' as device '${device ?? attachment.device}'.`,
      );
    }
    const state = cloud.books.get('instance', attachment.instanceId)?.state;
    if (attachment.device === ROOT_DEVICE && state !== 'stopped') {
      throw new Ec2Error(
        'OperationNotPermitted',
        `Unable to detach root volume '${volumeId}' from instance '${attachment.instanceId}'`,
      );
    }
    refuseDryRun(parameters);
    const detaching = cloud.storage.volumes.detach(volume, now).attachment ?? attachment;
    cloud.advance();
    return attachmentXml(cloud, volumeId, detaching);
  },
};
