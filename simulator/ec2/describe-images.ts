import type { Image } from '../books/entities';
import type { Cloud } from '../cloud';
import { ROOT_DEVICE } from '../storage/disks';
import { imageState } from '../storage/states';
import { Ec2Error } from './errors';
import { readFilters, tagFilterValues } from './filters';
import { baseImage, findImages, imagesOf, isBaseImage, PUBLIC_OWNER } from './image-catalog';
import { readPage, takePage } from './paging';
import type { QueryParameters } from './query-parameters';
import type { Ec2Action } from './request';
import { tagSet } from './tags';
import type { XmlElements } from './xml';

/** A disabled image is shown to who asks for such, a deregistered one never; asked for by its id it is no error for a while. */
export const describeImages: Ec2Action = {
  parameters: [
    'ImageId',
    'Owner',
    'Filter',
    'ExecutableBy',
    'IncludeDeprecated',
    'IncludeDisabled',
    'MaxResults',
    'NextToken',
    'DryRun',
  ],
  run({ cloud, region, parameters, now }) {
    const ids = parameters.list('ImageId');
    const withDisabled = parameters.boolean('IncludeDisabled') ?? false;
    refuseHiddenState(parameters, withDisabled);
    const page = readPage(parameters, { min: 1, max: 1000, usual: 1000 });
    const matches = readFilters(
      parameters,
      (image, name) => filterValues(cloud, image, name, now),
      baseImage(region),
    );
    const known = ids.length > 0 ? findImages(cloud, region, ids) : imagesOf(cloud, region);
    const found = known
      .filter((image) => isShown(image, withDisabled, now))
      .filter(isOwnedBy(cloud, parameters.list('Owner')))
      .filter(isExecutableBy(cloud, parameters.list('ExecutableBy')))
      .filter(matches);
    const { items, nextToken } = takePage(found, page, now);
    return { imagesSet: items.map((image) => imageXml(cloud, image, now)), nextToken };
  },
};

function refuseHiddenState(parameters: QueryParameters, withDisabled: boolean): void {
  const states = parameters
    .groups('Filter')
    .filter((filter) => filter.text('Name') === 'state')
    .flatMap((filter) => filter.list('Value'));
  if (withDisabled || !states.includes('disabled')) return;
  throw new Ec2Error(
    'InvalidParameter',
    "When filtering by the 'disabled' state, 'IncludeDisabled' must be set to 'true' in the request.",
  );
}

function isShown(image: Image, withDisabled: boolean, now: number): boolean {
  const state = imageState(image, now);
  return state !== 'deregistered' && (state !== 'disabled' || withDisabled);
}

function isOwnedBy(cloud: Cloud, owners: readonly string[]): (image: Image) => boolean {
  const accounts = owners.map((owner) => (owner === 'self' ? cloud.accountId : owner));
  return (image) =>
    accounts.length === 0 ||
    accounts.includes(ownerOf(cloud, image)) ||
    (isBaseImage(image) && accounts.includes('amazon'));
}

/** Launch permissions: public images have one for all, the account's own none but their owner's. */
function isExecutableBy(cloud: Cloud, users: readonly string[]): (image: Image) => boolean {
  return (image) =>
    users.length === 0 ||
    (isBaseImage(image) ? users.includes('all') : users.includes('self') || users.includes(cloud.accountId));
}

function ownerOf(cloud: Cloud, image: Image): string {
  return isBaseImage(image) ? PUBLIC_OWNER : cloud.accountId;
}

function imageXml(cloud: Cloud, image: Image, now: number): XmlElements {
  const state = imageState(image, now);
  return {
    imageId: image.id,
    imageLocation: `${ownerOf(cloud, image)}/${image.name}`,
    imageState: state,
    stateReason:
      state === 'failed' && image.failure
        ? { code: image.failure.code, message: image.failure.message }
        : null,
    imageOwnerId: ownerOf(cloud, image),
    imageOwnerAlias: isBaseImage(image) ? 'amazon' : null,
    creationDate: cloud.clock.wallAt(image.createdAt),
    isPublic: isBaseImage(image),
    architecture: 'x86_64',
    imageType: 'machine',
    name: image.name,
    description: image.description,
    sourceInstanceId: image.sourceInstanceId || null,
    rootDeviceType: 'ebs',
    rootDeviceName: ROOT_DEVICE,
    blockDeviceMapping: image.disks.map((disk) => ({
      deviceName: disk.device,
      ebs: {
        snapshotId: disk.snapshotId,
        volumeSize: disk.sizeGib,
        deleteOnTermination: disk.deleteOnTermination,
        volumeType: disk.type,
        iops: disk.iops,
        throughput: disk.throughput,
        encrypted: disk.encrypted,
      },
    })),
    virtualizationType: 'hvm',
    hypervisor: 'xen',
    enaSupport: true,
    imdsSupport: 'v2.0',
    platformDetails: 'Linux/UNIX',
    usageOperation: 'RunInstances',
    tagSet: tagSet(image.tags),
  };
}

function filterValues(cloud: Cloud, image: Image, filter: string, now: number): readonly string[] | null {
  switch (filter) {
    case 'image-id':
      return [image.id];
    case 'name':
      return [image.name];
    case 'description':
      return [image.description ?? ''];
    case 'state':
      return [imageState(image, now)];
    case 'owner-id':
      return [ownerOf(cloud, image)];
    case 'owner-alias':
      return isBaseImage(image) ? ['amazon'] : [];
    case 'is-public':
      return [String(isBaseImage(image))];
    case 'architecture':
      return ['x86_64'];
    case 'image-type':
      return ['machine'];
    case 'root-device-type':
      return ['ebs'];
    case 'root-device-name':
      return [ROOT_DEVICE];
    case 'virtualization-type':
      return ['hvm'];
    case 'source-instance-id':
      return image.sourceInstanceId === '' ? [] : [image.sourceInstanceId];
    case 'creation-date':
      return [cloud.clock.wallAt(image.createdAt).toISOString()];
    case 'block-device-mapping.snapshot-id':
      return image.disks.flatMap(({ snapshotId }) => snapshotId ?? []);
    case 'block-device-mapping.device-name':
      return image.disks.map(({ device }) => device);
    case 'block-device-mapping.volume-size':
      return image.disks.map(({ sizeGib }) => String(sizeGib));
    case 'block-device-mapping.volume-type':
      return image.disks.map(({ type }) => type);
    case 'block-device-mapping.delete-on-termination':
      return image.disks.map(({ deleteOnTermination }) => String(deleteOnTermination));
    case 'block-device-mapping.encrypted':
      return image.disks.map(({ encrypted }) => String(encrypted));
    default:
      return tagFilterValues(image.tags, filter);
  }
}
