import type { Image } from '../books/entities';
import type { Cloud } from '../cloud';
import { readFilters, tagFilterValues } from './filters';
import { baseImage, findImages, imagesOf, isBaseImage, PUBLIC_OWNER } from './image-catalog';
import { readPage, takePage } from './paging';
import type { Ec2Action } from './request';
import { tagSet } from './tags';
import type { XmlElements } from './xml';

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
    const owners = parameters.list('Owner').map((owner) => (owner === 'self' ? cloud.accountId : owner));
    const page = readPage(parameters, { min: 1, max: 1000, usual: 1000 });
    const matches = readFilters(
      parameters,
      (image, name) => filterValues(cloud, image, name, now),
      baseImage(region),
    );
    const known = ids.length > 0 ? findImages(cloud, region, ids) : imagesOf(cloud, region);
    const owned = known.filter(
      (image) =>
        owners.length === 0 ||
        owners.includes(ownerOf(cloud, image)) ||
        (isBaseImage(image) && owners.includes('amazon')),
    );
    const { items, nextToken } = takePage(owned.filter(matches), page, now);
    return { imagesSet: items.map((image) => imageXml(cloud, image, now)), nextToken };
  },
};

function ownerOf(cloud: Cloud, image: Image): string {
  return isBaseImage(image) ? PUBLIC_OWNER : cloud.accountId;
}

function stateOf(image: Image, now: number): 'pending' | 'available' {
  return image.availableAt > now ? 'pending' : 'available';
}

function imageXml(cloud: Cloud, image: Image, now: number): XmlElements {
  return {
    imageId: image.id,
    imageLocation: `${ownerOf(cloud, image)}/${image.name}`,
    imageState: stateOf(image, now),
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
    rootDeviceName: '/dev/xvda',
    blockDeviceMapping: [],
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
      return [stateOf(image, now)];
    case 'owner-id':
      return [ownerOf(cloud, image)];
    case 'owner-alias':
      return isBaseImage(image) ? ['amazon'] : [];
    case 'is-public':
      return [String(isBaseImage(image))];
    case 'architecture':
      return ['x86_64'];
    case 'root-device-type':
      return ['ebs'];
    case 'virtualization-type':
      return ['hvm'];
    case 'source-instance-id':
      return [image.sourceInstanceId];
    default:
      return tagFilterValues(image.tags, filter);
  }
}
