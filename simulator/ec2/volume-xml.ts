/** A volume and its attachment as EC2 shows them. */
import type { Cloud } from '../cloud';
import type { Device, Volume, VolumeAttachment } from '../books/entities';
import { attachmentState, volumeState } from '../storage/states';
import { tagSet } from './tags';
import type { XmlElements } from './xml';

export function volumeXml(cloud: Cloud, volume: Volume): XmlElements {
  const { attachment } = volume;
  return {
    volumeId: volume.id,
    size: volume.sizeGib,
    snapshotId: volume.snapshotId ?? '',
    availabilityZone: volume.zone,
    status: volumeState(volume, cloud.clock.now()),
    createTime: cloud.clock.wallAt(volume.createdAt),
    attachmentSet: attachment ? [attachmentXml(cloud, volume.id, attachment)] : [],
    tagSet: tagSet(volume.tags),
    volumeType: volume.type,
    iops: volume.iops,
    throughput: volume.throughput,
    encrypted: volume.encrypted,
    multiAttachEnabled: false,
  };
}

export function attachmentXml(cloud: Cloud, volumeId: string, attachment: VolumeAttachment): XmlElements {
  return {
    volumeId,
    instanceId: attachment.instanceId,
    device: attachment.device,
    status: attachmentState(attachment, cloud.clock.now()),
    attachTime: cloud.clock.wallAt(attachment.attachedAt),
    deleteOnTermination: attachment.deleteOnTermination,
  };
}

/** A device in an instance's block device mapping. */
export function deviceXml(cloud: Cloud, device: Device): XmlElements {
  return {
    deviceName: device.name,
    ebs: {
      volumeId: device.volumeId,
      status: deviceState(cloud, device),
      attachTime: cloud.clock.wallAt(device.attachedAt),
      deleteOnTermination: device.deleteOnTermination,
    },
  };
}

export function deviceState(cloud: Cloud, device: Device): string {
  const attachment = cloud.books.get('volume', device.volumeId)?.attachment;
  return attachment ? attachmentState(attachment, cloud.clock.now()) : 'detaching';
}
