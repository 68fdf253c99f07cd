/** What the cloud port can say of prices. */
import type { PriceSource } from '../activities/price-activities';
import type { CloudPort } from '../cloud/cloud-port';

/** The port knows the spot prices of the moment only, and none on demand. */
export function priceSourceOf(cloud: Pick<CloudPort, 'spotPrices'>): PriceSource {
  return {
    async spotPriceHistory({ instanceType, to }) {
      const now = await cloud.spotPrices(instanceType);
      return now.map((price) => ({ ...price, at: to.toISOString() }));
    },
    onDemandPrice: () => Promise.resolve(null),
  };
}
