/** Images by id: those made from instances, and in each region one public base image to start from. */
import { createHash } from 'node:crypto';
import type { Cloud } from '../cloud';
import type { Image } from '../books/entities';
import { EMPTY_ROOT } from '../storage/disks';
import { imageState } from '../storage/states';
import { Ec2Error } from './errors';

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
    takenAt: 0,
    availableAt: 0,
    failure: null,
    disabled: false,
    deregisteredAt: null,
    disks: [EMPTY_ROOT],
  };
}

export function isBaseImage(image: Image): boolean {
  return image.sourceInstanceId === '';
}

/** All that a region has, deregistered ones too as long as they are remembered. */
export function imagesOf(cloud: Cloud, region: string): Image[] {
  return [baseImage(region), ...cloud.books.all('image').filter((image) => image.region === region)];
}

/**
 * The images with these ids, deregistered ones among them as long as they are remembered.
 * @throws Ec2Error InvalidAMIID.Malformed or InvalidAMIID.NotFound.
 */
export function findImages(cloud: Cloud, region: string, ids: readonly string[]): Image[] {
  for (const id of ids) {
    if (!/^ami-([0-9a-f]{8}|[0-9a-f]{17})$/.test(id)) {
      throw new Ec2Error('InvalidAMIID.Malformed', `Invalid id: "${id}" (expecting "ami-...")`);
    }
  }
  const base = baseImage(region);
  const unique = [...new Set(ids)];
  const found = unique.map((id) => (id === base.id ? base : cloud.books.get('image', id)));
  const absent = unique.filter((_, index) => found[index]?.region !== region);
  if (absent.length > 0) {
    const [noun, verb] = absent.length === 1 ? ['id', 'does'] : ['ids', 'do'];
    throw new Ec2Error(
      'InvalidAMIID.NotFound',
      `The image ${noun} '[${absent.join(', ')}]' ${verb} not exist`,
    );
  }
  return found.filter((image) => image !== undefined);
}

/** An image of any state but deregistered. @throws Ec2Error InvalidAMIID.*. */
export function findRegisteredImage(cloud: Cloud, region: string, id: string): Image {
  const [image] = findImages(cloud, region, [id]);
  if (!image || image.deregisteredAt !== null) {
    throw new Ec2Error('InvalidAMIID.Unavailable', `The image ID '${id}' is no longer available`);
  }
  return image;
}

/** An image that can be launched. @throws Ec2Error InvalidAMIID.*. */
export function findLaunchableImage(cloud: Cloud, region: string, id: string, now: number): Image {
  const image = findRegisteredImage(cloud, region, id);
  if (imageState(image, now) !== 'available') {
    throw new Ec2Error('InvalidAMIID.Unavailable', `The image id '[${id}]' is not available`);
  }
  return image;
}

/** @throws Ec2Error InvalidAMIID.*; AuthFailure for a public image, which is someone else's. */
export function findOwnImage(cloud: Cloud, region: string, id: string): Image {
  const image = findRegisteredImage(cloud, region, id);
  if (isBaseImage(image)) throw new Ec2Error('AuthFailure', `Not authorized for image:${id}`);
  return image;
}
