/** What can be tagged, by its ids: instances, images, volumes, snapshots, spot requests and launch templates. */
import type { BooksPut } from '../books/books';
import type { Image, Instance, Snapshot, SpotRequest, Tags, Volume } from '../books/entities';
import type { LaunchTemplate } from '../books/launch-entities';
import type { Cloud } from '../cloud';
import { Ec2Error } from './errors';
import { findRegisteredImage, isBaseImage } from './image-catalog';
import { findInstances } from './instance-lookup';
import { templateById } from './launch-template-data';
import { findSnapshots } from './snapshot-lookup';
import { findSpotRequests } from './spot-request-lookup';
import { findVolumes } from './volume-lookup';

interface Shelved {
  instance: Instance;
  image: Image;
  volume: Volume;
  snapshot: Snapshot;
  spotRequest: SpotRequest;
  launchTemplate: LaunchTemplate;
}
type TaggedShelf = keyof Shelved;

/** As DescribeTags calls it, and what its ids begin with. */
const KINDS = {
  instance: { type: 'instance', prefix: 'i', find: findInstances },
  image: { type: 'image', prefix: 'ami', find: findImages },
  volume: { type: 'volume', prefix: 'vol', find: findVolumes },
  snapshot: { type: 'snapshot', prefix: 'snap', find: findSnapshots },
  spotRequest: { type: 'spot-instances-request', prefix: 'sir', find: findSpotRequests },
  launchTemplate: { type: 'launch-template', prefix: 'lt', find: findTemplates },
} as const satisfies {
  [S in TaggedShelf]: {
    type: string;
    prefix: string;
    find: (cloud: Cloud, region: string, ids: readonly string[]) => Shelved[S][];
  };
};
const SHELVES = Object.keys(KINDS) as TaggedShelf[];

export interface Tagged {
  readonly resourceId: string;
  readonly resourceType: string;
  readonly tags: Tags;
}

/** All that a region has, with its tags. */
export function taggedResources(cloud: Cloud, region: string): Tagged[] {
  return SHELVES.flatMap((shelf) =>
    cloud.books
      .all(shelf)
      .filter((resource) => resource.region === region)
      .map(({ id, tags }) => ({ resourceId: id, resourceType: KINDS[shelf].type, tags })),
  );
}

/**
 * The changes that give each of these resources other tags.
 * @throws Ec2Error the first kind's own refusal when one isn't there, or InvalidID for what can't be tagged.
 */
export function retag(
  cloud: Cloud,
  region: string,
  ids: readonly string[],
  change: (tags: Tags) => Tags,
): BooksPut[] {
  const stranger = ids.find((id) => !SHELVES.some((shelf) => isOf(shelf, id)));
  if (stranger !== undefined) throw new Ec2Error('InvalidID', `The ID '${stranger}' is not valid`);
  return SHELVES.flatMap((shelf): BooksPut[] => {
    const found = KINDS[shelf].find(
      cloud,
      region,
      ids.filter((id) => isOf(shelf, id)),
    );
    return found.map(
      (resource) => [shelf, resource.id, { ...resource, tags: change(resource.tags) }] as BooksPut,
    );
  });
}

function isOf(shelf: TaggedShelf, id: string): boolean {
  return id.startsWith(`${KINDS[shelf].prefix}-`);
}

function findImages(cloud: Cloud, region: string, ids: readonly string[]): Image[] {
  const images = ids.map((id) => findRegisteredImage(cloud, region, id));
  if (images.some(isBaseImage)) {
    throw new Ec2Error(
      'UnauthorizedOperation',
      'You are not authorized to perform this operation on a public image.',
    );
  }
  return images;
}

function findTemplates(cloud: Cloud, region: string, ids: readonly string[]): LaunchTemplate[] {
  return ids.map((id) => templateById(cloud, region, id));
}
