import type { SpotRequest } from '../books/entities';
import type { Cloud } from '../cloud';
import { Ec2Error } from './errors';

/** @throws Ec2Error InvalidSpotInstanceRequestID.Malformed or InvalidSpotInstanceRequestID.NotFound. */
export function findSpotRequests(cloud: Cloud, region: string, ids: readonly string[]): SpotRequest[] {
  const malformed = ids.find((id) => !/^sir-[0-9a-z]{8}$/.test(id));
  if (malformed !== undefined) {
    throw new Ec2Error(
      'InvalidSpotInstanceRequestID.Malformed',
      `The spot instance request ID '${malformed}' is malformed`,
    );
  }
  const unique = [...new Set(ids)];
  const found = unique.map((id) => cloud.books.get('spotRequest', id));
  const absent = unique.filter((_, index) => found[index]?.region !== region);
  if (absent.length > 0) {
    const which = absent.length === 1 ? 'ID' : 'IDs';
    throw new Ec2Error(
      'InvalidSpotInstanceRequestID.NotFound',
      `The spot instance request ${which} '${absent.join(', ')}' ${absent.length === 1 ? 'does' : 'do'} not exist`,
    );
  }
  return found.filter((request) => request !== undefined);
}
