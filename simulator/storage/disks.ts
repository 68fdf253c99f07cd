/** An instance's disks over its life: volumes made at its launch, deleted or left behind at its end. Pure functions. */
import type { Device, ImageDisk, Instance, Tags, Volume } from '../books/entities';
import { newId } from '../ids';

export const ROOT_DEVICE = '/dev/xvda';
export const USUAL_ROOT_GIB = 8;

/** What a launch makes disks of: an image's, merged with what the request says of them. */
export interface LaunchDisks {
  readonly disks: readonly ImageDisk[];
  /** Of each volume. */
  readonly tags: Tags;
}

/** The root disk of a public image: empty, of the usual size. */
export const EMPTY_ROOT: ImageDisk = {
  device: ROOT_DEVICE,
  snapshotId: null,
  sizeGib: USUAL_ROOT_GIB,
  type: 'gp3',
  iops: 3_000,
  throughput: 125,
  encrypted: false,
  deleteOnTermination: true,
};

/** The volumes of a fresh instance, in use from the first moment, and the devices that name them. */
export function disksAtLaunch(
  instance: Instance,
  { disks, tags }: LaunchDisks,
  now: number,
): { devices: Device[]; volumes: Volume[] } {
  const volumes = disks.map(({ device, deleteOnTermination, ...disk }): Volume => ({
    ...disk,
    id: newId('vol'),
    region: instance.region,
    zone: instance.zone,
    tags,
    createdAt: now,
    availableAt: now,
    attachment: {
      instanceId: instance.id,
      device,
      deleteOnTermination,
      attachedAt: now,
      settledAt: now,
      detachedAt: null,
    },
    goneAt: null,
  }));
  const devices = volumes.map((volume, index): Device => ({
    name: disks[index]?.device ?? ROOT_DEVICE,
    volumeId: volume.id,
    deleteOnTermination: disks[index]?.deleteOnTermination ?? true,
    attachedAt: now,
  }));
  return { devices, volumes };
}

/** What becomes of a volume when its instance is terminated; null when it goes with it. */
export function volumeAfterEnd(volume: Volume): Volume | null {
  return volume.attachment?.deleteOnTermination ? null : { ...volume, attachment: null };
}

/** A volume of an instance as an image of it holds it. */
export function diskOf(volume: Volume, device: Device, snapshotId: string): ImageDisk {
  const { sizeGib, type, iops, throughput, encrypted } = volume;
  const { name, deleteOnTermination } = device;
  return { device: name, snapshotId, sizeGib, type, iops, throughput, encrypted, deleteOnTermination };
}

/** The folder under an instance's `volumes/` that stands for a device: `xvdf` of `/dev/xvdf`. */
export function folderOfDevice(device: string): string {
  return device.replace(/^\/dev\//, '').replaceAll('/', '-');
}
