import type { Image, ImageDisk, Instance, Snapshot, Tags, Volume } from '../books/entities';
import type { Cloud } from '../cloud';
import { newId } from '../ids';
import { diskOf, ROOT_DEVICE } from '../storage/disks';
import { readBlockDeviceMapping, mergeBlockDevices } from './block-device-mapping';
import type { DeviceMapping } from './block-device-mapping';
import { Ec2Error, invalid } from './errors';
import { findInstances } from './instance-lookup';
import type { QueryParameters } from './query-parameters';
import { refuseDryRun } from './request';
import type { Ec2Action } from './request';
import { refuseTooMany } from './snapshot-limits';
import { findCompletedSnapshot } from './snapshot-lookup';
import { readTagSpecifications } from './tags';
import { findVolumes } from './volume-lookup';

/** Reboots a running instance unless NoReboot, makes a snapshot of each of its disks, and is pending for a while. */
export const createImage: Ec2Action = {
  parameters: [
    'InstanceId',
    'Name',
    'Description',
    'NoReboot',
    'DryRun',
    'TagSpecification',
    'BlockDeviceMapping',
    'SnapshotLocation',
    'BootModeOverride',
  ],
  async run({ cloud, region, parameters, now }) {
    const { name, description } = readName(parameters);
    const noReboot = parameters.boolean('NoReboot') ?? false;
    const tags = readTagSpecifications(parameters, 'image', ['snapshot']);
    const snapshotTags = readTagSpecifications(parameters, 'snapshot', ['image']);
    const mapping = readBlockDeviceMapping(parameters);
    const instance = findImageable(cloud, region, parameters.required('InstanceId'));
    refuseDuplicate(cloud, region, name);
    const volumes = imagedVolumes(cloud, instance, mapping);
    refuseTooMany(cloud, volumes, now);
    const id = newId('ami');
    const reboots = !noReboot && instance.state === 'running';
    const readSeconds = reboots ? cloud.draw('shutdown') : 0;
    const copied = volumes.reduce((gib, volume) => gib + cloud.storage.snapshots.copiedGib(volume), 0);
    const availableAt = now + Math.max(readSeconds, cloud.storage.images.drawSeconds(copied));
    const made = describeDisks(cloud, instance, volumes, { id, tags: snapshotTags, now, availableAt });
    const disks = mergeBlockDevices(made.disks, mapping, (snapshotId) =>
      findCompletedSnapshot(cloud, region, snapshotId, now),
    );
    refuseDryRun(parameters);
    const image: Image = {
      id,
      region,
      name,
      description,
      sourceInstanceId: instance.id,
      tags,
      createdAt: now,
      takenAt: now + readSeconds,
      availableAt,
      failure: cloud.storage.images.nextFailure(),
      disabled: false,
      deregisteredAt: null,
      disks,
    };
    // What runs there writes down what it has when it is told to end, and that belongs on the image.
    const atRest = reboots ? cloud.machines.reboot(instance.id) : undefined;
    const captured = cloud.storage.takeImage(image, made.snapshots, atRest);
    cloud.advance();
    await captured;
    return { imageId: id };
  },
};

function readName(parameters: QueryParameters): { name: string; description: string | null } {
  const name = parameters.required('Name');
  if (!/^[\w()[\] ./'@-]{3,128}$/.test(name)) {
    throw new Ec2Error(
      'InvalidAMIName.Malformed',
      "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, '(', ')', '.', '-', '/' and '_'",
    );
  }
  const description = parameters.text('Description');
  if (description !== null && description.length > 255)
    throw invalid('Character sets beyond 255 are not supported.');
  return { name, description };
}

function findImageable(cloud: Cloud, region: string, id: string): Instance {
  const [instance] = findInstances(cloud, region, [id]);
  switch (instance?.state) {
    case 'running':
    case 'stopping':
    case 'stopped':
      return instance;
    case 'pending':
    case 'shutting-down':
    case 'terminated':
    case undefined:
      throw invalid(
        `Invalid value '${id}' for instanceId. Instance is not in state 'running' or 'stopping' or 'stopped'`,
      );
  }
}

function refuseDuplicate(cloud: Cloud, region: string, name: string): void {
  const namesake = cloud.books
    .all('image')
    .find((image) => image.region === region && image.name === name && image.deregisteredAt === null);
  if (namesake) {
    throw new Ec2Error(
      'InvalidAMIName.Duplicate',
      `AMI name ${name} is already in use by AMI ${namesake.id}`,
    );
  }
}

/** The volumes that are to be on the image. */
function imagedVolumes(cloud: Cloud, instance: Instance, mapping: readonly DeviceMapping[]): Volume[] {
  for (const { device, sizeGib, none } of mapping) {
    const isKnown = instance.devices.some(({ name }) => name === device);
    if (isKnown && sizeGib !== null && !none) {
      throw new Ec2Error(
        'InvalidBlockDeviceMapping',
        `The size of the volume at ${device} can't be changed by an image of it`,
      );
    }
  }
  const wanted = instance.devices.filter(
    ({ name }) => name === ROOT_DEVICE || !mapping.some(({ device, none }) => none && device === name),
  );
  return findVolumes(
    cloud,
    instance.region,
    wanted.map(({ volumeId }) => volumeId),
  );
}

/** A snapshot of each volume, ready when the image is, and the disks that name them. */
function describeDisks(
  cloud: Cloud,
  instance: Instance,
  volumes: readonly Volume[],
  image: { id: string; tags: Tags; now: number; availableAt: number },
): { disks: ImageDisk[]; snapshots: Snapshot[] } {
  const description = `Created by CreateImage(${instance.id}) for ${image.id}`;
  const made = volumes.flatMap((volume) => {
    const device = instance.devices.find(({ volumeId }) => volumeId === volume.id);
    if (!device) return [];
    const wish = { volume, description, tags: image.tags };
    const snapshot = {
      ...cloud.storage.snapshots.draft(wish, image.now),
      completedAt: image.availableAt,
    };
    return [{ snapshot, disk: diskOf(volume, device, snapshot.id) }];
  });
  return { disks: made.map(({ disk }) => disk), snapshots: made.map(({ snapshot }) => snapshot) };
}
