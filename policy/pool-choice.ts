/** Which pools a switch tries, in which order. Pure: the market comes in, a list goes out. */
import type { Pool, PurchaseOption, SwitchPriority } from '../contracts/states';

export interface PoolMarket {
  instanceType: string;
  /** Zones that are open. */
  zones: readonly string[];
  /** Decimal dollars an hour by zone; a zone without a price has no spot market of this type. */
  spotPrices: ReadonlyMap<string, string>;
}

export interface PoolQuestion {
  current: Pool;
  priority: SwitchPriority;
  targetMode: PurchaseOption | null;
  targetPool: Pool | null;
}

/**
 * The pools to try. A named pool or mode is taken at its word, with nothing else to fall back on. Otherwise spot goes
 * from the cheapest up, without the pool that the agent leaves, and on-demand is the last resort.
 */
export function choosePools(question: PoolQuestion, market: PoolMarket): Pool[] {
  if (question.targetPool) return [question.targetPool];
  const { targetMode } = question;
  const spot = targetMode === 'ondemand' ? [] : spotPools(question, market);
  const onDemand = targetMode === 'spot' ? [] : onDemandPools(question, market);
  return [...spot, ...onDemand];
}

function spotPools({ current }: PoolQuestion, { instanceType, zones, spotPrices }: PoolMarket): Pool[] {
  return zones
    .flatMap((zone) => {
      const price = spotPrices.get(zone);
      return price === undefined || (current.option === 'spot' && zone === current.zone)
        ? []
        : [{ zone, price }];
    })
    .sort((one, other) => Number(one.price) - Number(other.price) || one.zone.localeCompare(other.zone))
    .map(({ zone }) => ({ instanceType, zone, option: 'spot' as const }));
}

/** In an emergency the zone that is being emptied comes last: what takes spot there takes on-demand as well. */
function onDemandPools({ current, priority }: PoolQuestion, { instanceType, zones }: PoolMarket): Pool[] {
  const currentZoneRank = priority === 'emergency' ? 1 : -1;
  const rank = (zone: string) => (zone === current.zone ? currentZoneRank : 0);
  return [...zones]
    .filter((zone) => current.option !== 'ondemand' || zone !== current.zone)
    .sort((one, other) => rank(one) - rank(other) || one.localeCompare(other))
    .map((zone) => ({ instanceType, zone, option: 'ondemand' as const }));
}
