/** An instance's disks over its life: volumes made at its launch, deleted or left behind at its end. Pure functions. */
import type { Device, ImageDisk, Instance, Volume } from '../books/entities';
import { newId } from '../ids';

export const ROOT_DEVICE = '/dev/xvda';
export const USUAL_ROOT_GIB = 8;

/** The volumes of a fresh instance, in use from the first moment, and the devices that name them. */
export function disksAtLaunch(
  instance: Instance,
  disks: readonly ImageDisk[],
  now: number,
): { devices: Device[]; volumes: Volume[] } {
  const volumes = disks.map((disk): Volume => ({
    id: newId('vol'),
    region: instance.region,
    zone: instance.zone,
    sizeGib: disk.sizeGib,
    type: 'gp3',
    snapshotId: disk.snapshotId,
    tags: {},
    createdAt: now,
    availableAt: now,
    attachment: {
      instanceId: instance.id,
      device: disk.device,
      deleteOnTermination: disk.deleteOnTermination,
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
