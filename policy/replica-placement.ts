/** Where a replica is placed. Pure: the market comes in, a list goes out. */
import { type Pool, poolId } from '../contracts/states';

export interface ReplicaMarket {
  /** Zones that are open. */
  zones: readonly string[];
  /** By instance type and zone: decimal dollars an hour. What has no price has no spot market. */
  spotPrices: readonly { instanceType: string; zone: string; priceUsdPerHour: string }[];
}

/**
 * The pools to try, the one least likely to fail with the primary first, then the cheaper. Spot capacity is taken back by
 * instance type, in one zone or in several of a region together, so another type is better than another zone alone.
 * On-demand is the last resort, since it costs as much as the primary saves; the primary's own pool is none.
 * @param alternatives other instance types that may stand in, the best first.
 */
export function placeReplica(primary: Pool, alternatives: readonly string[], market: ReplicaMarket): Pool[] {
  const types = [...alternatives.filter((one) => one !== primary.instanceType), primary.instanceType];
  const spot = market.spotPrices
    .filter(({ instanceType, zone }) => types.includes(instanceType) && market.zones.includes(zone))
    .map(({ instanceType, zone, priceUsdPerHour }) => ({
      pool: { instanceType, zone, option: 'spot' as const },
      price: Number(priceUsdPerHour),
    }))
    .sort((one, other) => rank(primary, one.pool) - rank(primary, other.pool) || one.price - other.price)
    .map(({ pool }) => pool);
  const onDemand = types.flatMap((instanceType) =>
    [...market.zones]
      .sort((one, other) => Number(one === primary.zone) - Number(other === primary.zone))
      .map((zone) => ({ instanceType, zone, option: 'ondemand' as const })),
  );
  return [...spot, ...onDemand].filter((pool) => poolId(pool) !== poolId(primary));
}

function rank(primary: Pool, { instanceType, zone }: Pool): number {
  return Number(instanceType === primary.instanceType) * 2 + Number(zone === primary.zone);
}
