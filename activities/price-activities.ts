/** Fills the price book: asks the cloud for the prices of the types in use. */
import type { PriceActivities, PricesRecorded } from '../contracts/activities';
import type { Db } from '../db/connect';
import { type AccountRegion, knowsOnDemandPrice, watchedTypes, writePrices } from '../db/price-book';
import { ec2Step } from './cloud-failures';

/** What it takes of a cloud in one region; the cloud port's market is one. */
export interface PriceSource {
  /** Every change of a type's spot price between two moments, and the price in force at the first; oldest first. */
  spotPriceHistory(request: {
    instanceType: string;
    from: Date;
    to: Date;
  }): Promise<{ zone: string; priceUsdPerHour: string; at: string }[]>;
  /** Decimal dollars an hour in the whole region; null when none is listed. */
  onDemandPrice(instanceType: string): Promise<string | null>;
}

/** What is found at the first look is taken to have held before: on-demand prices change by announcement, and seldom. */
const EVER = new Date(0);

export function createPriceActivities({ prices, db }: { prices: PriceSource; db: Db }): PriceActivities {
  return {
    recordPrices: (place) =>
      ec2Step(async () => {
        const { types, now } = await watchedTypes(db, place);
        const result: PricesRecorded = { types: types.length, prices: 0, failures: [] };
        const errors: unknown[] = [];
        const attempt = async (what: string, record: () => Promise<number>) => {
          try {
            result.prices += await record();
          } catch (error) {
            errors.push(error);
            result.failures.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
          }
        };
        let asked = 0;
        for (const { instanceType, spotFrom, asksOnDemand } of types) {
          asked += 1;
          await attempt(`spot prices of ${instanceType}`, () =>
            recordSpot(place, instanceType, spotFrom, now),
          );
          if (!asksOnDemand) continue;
          asked += 1;
          await attempt(`the on-demand price of ${instanceType}`, () =>
            recordOnDemand(place, instanceType, now),
          );
        }
        // One type's trouble is no reason to ask for all again; everyone's is.
        if (asked > 0 && errors.length === asked) throw errors[0];
        return result;
      }),
  };

  async function recordSpot(
    place: AccountRegion,
    instanceType: string,
    from: Date,
    now: Date,
  ): Promise<number> {
    const found = await prices.spotPriceHistory({ instanceType, from, to: now });
    // A cloud whose clock is ahead of ours means now; of several such prices the last holds.
    const ahead = new Map<string, (typeof found)[number]>();
    for (const point of found) if (new Date(point.at) > now) ahead.set(point.zone, point);
    const points = [...found.filter((point) => new Date(point.at) <= now), ...ahead.values()].map(
      (point) => ({
        instanceType,
        mode: 'spot' as const,
        zone: point.zone,
        heldFrom: new Date(Math.min(Date.parse(point.at), now.getTime())),
        usdPerHour: point.priceUsdPerHour,
      }),
    );
    points.sort((one, other) => one.heldFrom.getTime() - other.heldFrom.getTime());
    return writePrices(db, place, { instanceType, mode: 'spot', until: now }, points);
  }

  async function recordOnDemand(place: AccountRegion, instanceType: string, now: Date): Promise<number> {
    const price = await prices.onDemandPrice(instanceType);
    const known = await knowsOnDemandPrice(db, place, instanceType);
    const point = { instanceType, mode: 'ondemand' as const, zone: null, heldFrom: known ? now : EVER };
    const points = price === null ? [] : [{ ...point, usdPerHour: price }];
    return writePrices(db, place, { instanceType, mode: 'ondemand', until: now }, points);
  }
}
