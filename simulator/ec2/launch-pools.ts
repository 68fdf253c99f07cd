/** Where a launch finds room. */
import type { Instance } from '../books/entities';
import type { Shortage } from '../instances/room';
import type { PoolRecord } from '../market/market';
import { shortageError, unsupported } from './capacity-errors';
import { invalid } from './errors';
import type { LaunchRequest } from './launch-request';
import type { Ec2Request } from './request';

export interface Place {
  readonly pool: PoolRecord;
  /** For how many of those that are asked for there is room. */
  readonly count: number;
}

/**
 * The zone that was asked for, or the region's first with room.
 * @param counts the least that will do, the most that is wished for, and what this call has taken already.
 * @throws Ec2Error of the class of capacity errors.
 */
export function findPlace(
  { cloud, region }: Ec2Request,
  { zone, instanceType, market }: Pick<LaunchRequest, 'zone' | 'instanceType' | 'market'>,
  { min, max, taken }: { min: number; max: number; taken?: readonly Instance[] },
): Place {
  if (!cloud.market.instanceTypes().includes(instanceType)) {
    throw invalid(`Invalid value '${instanceType}' for InstanceType.`);
  }
  const asked = cloud.market
    .pools(region)
    .filter((pool) => pool.instanceType === instanceType && (zone === null || pool.zone === zone));
  const { option, maxPrice } = market;
  const refusals: { pool: PoolRecord; shortage: Shortage }[] = [];
  for (const pool of asked) {
    const room = cloud.findRoom({ pool, option, maxPrice, min, max, ...(taken && { taken }) });
    if (typeof room === 'number') return { pool, count: room };
    refusals.push({ pool, shortage: room });
  }
  const [first] = refusals;
  if (!first) throw unsupported(cloud, region, instanceType, zone);
  throw shortageError(cloud, first.shortage, { pool: first.pool, option, min, maxPrice });
}
