/** `BlockDeviceMapping.N`: what a launch, or the making of an image, says of single disks. */
import type { ImageDisk, Snapshot } from '../books/entities';
import { ROOT_DEVICE } from '../storage/disks';
import type { KindWish } from '../storage/volume-types';
import { VOLUME_TYPES, volumeKind } from '../storage/volume-types';
import { Ec2Error } from './errors';
import type { QueryParameters } from './query-parameters';

export interface DeviceMapping {
  readonly device: string;
  /** Leave this one out. */
  readonly none: boolean;
  readonly snapshotId: string | null;
  readonly sizeGib: number | null;
  readonly type: KindWish['type'] | null;
  readonly iops: number | null;
  readonly throughput: number | null;
  readonly encrypted: boolean | null;
  readonly deleteOnTermination: boolean | null;
}

/** @throws Ec2Error for what isn't a mapping. Disks of the host (`VirtualName`) are left out: no type has any here. */
export function readBlockDeviceMapping(parameters: QueryParameters): DeviceMapping[] {
  const seen = new Set<string>();
  return parameters.groups('BlockDeviceMapping').flatMap((entry): DeviceMapping[] => {
    const device = entry.required('DeviceName');
    if (!isDeviceName(device)) throw refused(`Invalid device name ${device}`);
    if (seen.has(device))
      throw refused(`The device '${device}' is used in more than one block-device mapping`);
    seen.add(device);
    if (entry.text('VirtualName') !== null) return [];
    const ebs = entry.group('Ebs');
    return [
      {
        device,
        none: entry.has('NoDevice'),
        snapshotId: ebs.text('SnapshotId'),
        sizeGib: ebs.integer('VolumeSize', { min: 1, max: 65_536 }),
        type: ebs.choice('VolumeType', VOLUME_TYPES),
        iops: ebs.integer('Iops', { min: 1, max: 1_000_000 }),
        throughput: ebs.integer('Throughput', { min: 1, max: 1_000_000 }),
        encrypted: ebs.boolean('Encrypted'),
        deleteOnTermination: ebs.boolean('DeleteOnTermination'),
      },
    ];
  });
}

/**
 * The disks of a launch: the image's, changed and added to as the request says.
 * @param findSnapshot throws when there is none to use.
 * @throws Ec2Error InvalidBlockDeviceMapping.
 */
export function mergeBlockDevices(
  disks: readonly ImageDisk[],
  mapping: readonly DeviceMapping[],
  findSnapshot: (id: string) => Snapshot,
): ImageDisk[] {
  const merged = new Map(disks.map((disk) => [disk.device, disk]));
  for (const entry of mapping) {
    const { device } = entry;
    const known = merged.get(device);
    if (entry.none) {
      if (device === ROOT_DEVICE) throw refused(`The root device ${device} can't be left out`);
      merged.delete(device);
    } else {
      merged.set(device, known ? changed(known, entry, findSnapshot) : added(entry, findSnapshot));
    }
  }
  return [...merged.values()];
}

export function isDeviceName(name: string): boolean {
  return /^\/dev\/(sd[a-z]\d{0,2}|xvd[a-e]?[a-z]\d{0,2}|hd[a-z]\d{0,2})$/.test(name);
}

function changed(disk: ImageDisk, entry: DeviceMapping, findSnapshot: (id: string) => Snapshot): ImageDisk {
  const { device, snapshotId } = entry;
  if (snapshotId !== null && snapshotId !== disk.snapshotId) {
    if (device === ROOT_DEVICE) throw refused('snapshotId cannot be modified on root device');
    return added(
      { ...entry, deleteOnTermination: entry.deleteOnTermination ?? disk.deleteOnTermination },
      findSnapshot,
    );
  }
  const sizeGib = entry.sizeGib ?? disk.sizeGib;
  refuseSmaller(sizeGib, disk.sizeGib, disk.snapshotId ?? 'of the image');
  if (entry.encrypted === false && disk.encrypted)
    throw refused('Encrypted snapshots can’t be made into unencrypted volumes');
  const sameType = entry.type === null || entry.type === disk.type;
  const kind = volumeKind({
    sizeGib,
    type: entry.type ?? (disk.type as KindWish['type']),
    // A type's own figures aren't another's, and gp2's follow from its size.
    iops: entry.iops ?? (sameType && disk.type !== 'gp2' ? disk.iops : null),
    throughput: entry.throughput ?? (sameType ? disk.throughput : null),
    encrypted: entry.encrypted ?? disk.encrypted,
  });
  if (typeof kind === 'string') throw refused(kind);
  return { ...disk, ...kind, deleteOnTermination: entry.deleteOnTermination ?? disk.deleteOnTermination };
}

function added(entry: DeviceMapping, findSnapshot: (id: string) => Snapshot): ImageDisk {
  const snapshot = entry.snapshotId === null ? null : findSnapshot(entry.snapshotId);
  const sizeGib = entry.sizeGib ?? snapshot?.sizeGib;
  if (sizeGib === undefined)
    throw refused(`Either snapshot ID or volume size must be provided for: ${entry.device}`);
  if (snapshot) refuseSmaller(sizeGib, snapshot.sizeGib, snapshot.id);
  const kind = volumeKind({
    sizeGib,
    type: entry.type ?? 'gp2',
    iops: entry.iops,
    throughput: entry.throughput,
    encrypted: entry.encrypted ?? snapshot?.encrypted ?? false,
  });
  if (typeof kind === 'string') throw refused(kind);
  return {
    ...kind,
    device: entry.device,
    snapshotId: snapshot?.id ?? null,
    // EC2 keeps data disks unless it is told to delete them.
    deleteOnTermination: entry.deleteOnTermination ?? entry.device === ROOT_DEVICE,
  };
}

function refuseSmaller(sizeGib: number, least: number, snapshot: string): void {
  if (sizeGib >= least) return;
  throw refused(
    `Volume of size ${sizeGib}GB is smaller than snapshot '${snapshot}', expect size >= ${least}GB`,
  );
}

function refused(message: string): Ec2Error {
  return new Ec2Error('InvalidBlockDeviceMapping', message);
}
