/** Instances by the ids of a request: all of them or a refusal that names those that aren't there, or can't be seen yet. */
import type { Cloud } from '../cloud';
import type { Instance } from '../books/entities';
import { Ec2Error, notFound } from './errors';

/** @throws Ec2Error InvalidInstanceID.Malformed or InvalidInstanceID.NotFound. */
export function findInstances(cloud: Cloud, region: string, ids: readonly string[]): Instance[] {
  for (const id of ids) {
    if (!/^i-([0-9a-f]{8}|[0-9a-f]{17})$/.test(id)) {
      throw new Ec2Error('InvalidInstanceID.Malformed', `Invalid id: "${id}" (expecting "i-...")`);
    }
  }
  const unique = [...new Set(ids)];
  const found = unique.map((id) => cloud.books.get('instance', id));
  const absent = unique.filter((_, index) => {
    const instance = found[index];
    return instance?.region !== region || cloud.shown(instance) === null;
  });
  if (absent.length > 0) throw notFound('InvalidInstanceID.NotFound', 'instance', absent);
  return found.filter((instance) => instance !== undefined);
}
