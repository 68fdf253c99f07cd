/** Images by id: those made from instances, and in each region one public base image to start from. */
import { createHash } from 'node:crypto';
import type { Cloud } from '../cloud';
import type { Image } from '../books/entities';
import { ROOT_DEVICE, USUAL_ROOT_GIB } from '../storage/disks';
import { Ec2Error, notFound } from './errors';

/** The public images' owner: Amazon's own account. */
export const PUBLIC_OWNER = '137112412989';

export function baseImageId(region: string): string {
  return `ami-${createHash('sha256').update(`spotkeeper base image ${region}`).digest('hex').slice(0, 17)}`;
}

export function baseImage(region: string): Image {
  return {
    id: baseImageId(region),
    region,
    name: 'spotkeeper-base',
    description: 'An empty machine that runs the agent',
    sourceInstanceId: '',
    tags: {},
    createdAt: 0,
    availableAt: 0,
    disabled: false,
    disks: [{ device: ROOT_DEVICE, snapshotId: null, sizeGib: USUAL_ROOT_GIB, deleteOnTermination: true }],
  };
}

export function isBaseImage(image: Image): boolean {
  return image.sourceInstanceId === '';
}

export function imagesOf(cloud: Cloud, region: string): Image[] {
  return [baseImage(region), ...cloud.books.all('image').filter((image) => image.region === region)];
}

/** @throws Ec2Error InvalidAMIID.Malformed or InvalidAMIID.NotFound. */
export function findImages(cloud: Cloud, region: string, ids: readonly string[]): Image[] {
  for (const id of ids) {
    if (!/^ami-([0-9a-f]{8}|[0-9a-f]{17})$/.test(id)) {
      throw new Ec2Error('InvalidAMIID.Malformed', `Invalid id: "${id}" (expecting "ami-...")`);
    }
  }
  const known = new Map(imagesOf(cloud, region).map((image) => [image.id, image]));
  const unique = [...new Set(ids)];
  const absent = unique.filter((id) => !known.has(id));
  if (absent.length === 1) {
    throw new Ec2Error('InvalidAMIID.NotFound', `The image id '[${absent[0]}]' does not exist`);
  }
  if (absent.length > 1) throw notFound('InvalidAMIID.NotFound', 'image', absent);
  return unique.flatMap((id) => known.get(id) ?? []);
}
