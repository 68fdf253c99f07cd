/** Volumes by the ids of a request. */
import type { Cloud } from '../cloud';
import type { Volume } from '../books/entities';
import { Ec2Error } from './errors';
import { readIds } from './resource-ids';

const ID = { prefix: 'vol', parameter: 'volumeId', malformed: 'InvalidVolumeID.Malformed' };

/** All of them. @throws Ec2Error InvalidVolumeID.Malformed, InvalidParameterValue or InvalidVolume.NotFound. */
export function findVolumes(cloud: Cloud, region: string, ids: readonly string[]): Volume[] {
  const found = readIds(ids, ID).map((id) => [id, cloud.books.get('volume', id)] as const);
  return found.map(([id, volume]) => {
    if (volume?.region === region) return volume;
    throw new Ec2Error('InvalidVolume.NotFound', `The volume '${id}' does not exist.`);
  });
}

export function findVolume(cloud: Cloud, region: string, id: string): Volume {
  return findVolumes(cloud, region, [id])[0] as Volume;
}
