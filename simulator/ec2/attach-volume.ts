import type { Instance, Volume } from '../books/entities';
import { ROOT_DEVICE } from '../storage/disks';
import { volumeState } from '../storage/states';
import { isDeviceName } from './block-device-mapping';
import { Ec2Error, invalid, missing } from './errors';
import { findInstances } from './instance-lookup';
import { refuseDryRun } from './request';
import type { Ec2Action } from './request';
import { findVolume } from './volume-lookup';
import { attachmentXml } from './volume-xml';

/** What an instance of the usual kind takes, its root and a network interface counted. */
const MOST_ATTACHED = 27;

/** To an instance in the volume's own zone, running or stopped. */
export const attachVolume: Ec2Action = {
  parameters: ['VolumeId', 'InstanceId', 'Device', 'DryRun', 'EbsCardIndex'],
  run({ cloud, region, parameters, now }) {
    const volumeId = parameters.text('VolumeId');
    const instanceId = parameters.text('InstanceId');
    const device = parameters.text('Device');
    if (volumeId === null) throw missing('volume');
    if (instanceId === null) throw missing('instance');
    if (device === null) throw missing('device');
    const name = device.startsWith('/dev/') ? device : `/dev/${device}`;
    if (!isDeviceName(name)) {
      throw invalid(
        `Value (${device}) for parameter device is invalid. ${device} is not a valid EBS device name.`,
      );
    }
    const volume = findVolume(cloud, region, volumeId);
    const instance = findInstances(cloud, region, [instanceId])[0] as Instance;
    refuse(volume, instance, name, now);
    refuseDryRun(parameters);
    const { attachment } = cloud.storage.volumes.attach(volume, instance, name, now);
    cloud.advance();
    return attachment ? attachmentXml(cloud, volumeId, attachment) : {};
  },
};

function refuse(volume: Volume, instance: Instance, name: string, now: number): void {
  const { state, devices } = instance;
  if (volume.attachment) {
    throw new Ec2Error('VolumeInUse', `${volume.id} is already attached to an instance`);
  }
  if (volumeState(volume, now) !== 'available') {
    throw new Ec2Error('IncorrectState', `${volume.id} is not 'available'.`);
  }
  if (state !== 'running' && state !== 'stopped') {
    throw new Ec2Error('IncorrectState', `Instance '${instance.id}' is not 'running'.`);
  }
  if (volume.zone !== instance.zone) {
    throw new Ec2Error(
      'InvalidVolume.ZoneMismatch',
      `The volume '${volume.id}' is not in the same availability zone as instance '${instance.id}'`,
    );
  }
  if (devices.some((device) => device.name === name)) {
    throw invalid(`Invalid value '${name}' for unixDevice. Attachment point ${name} is already in use`);
  }
  if (name === ROOT_DEVICE && state === 'running') {
    throw invalid(
      `Invalid value '${name}' for unixDevice. A root volume can't be attached to a running instance`,
    );
  }
  if (devices.length >= MOST_ATTACHED) {
    throw new Ec2Error(
      'AttachmentLimitExceeded',
      `The instance '${instance.id}' has as many volumes attached as its type takes: ${MOST_ATTACHED}.`,
    );
  }
}
