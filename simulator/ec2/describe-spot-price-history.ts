import type { PoolRecord } from '../market/market';
import { zoneId } from './describe-availability-zones';
import { Ec2Error, invalid } from './errors';
import { readFilters } from './filters';
import { wholeSecond } from './instance-xml';
import { readPage, takePage } from './paging';
import type { Ec2Action, Ec2Request } from './request';

const PRODUCT = 'Linux/UNIX';
const PRODUCTS = [PRODUCT, `${PRODUCT} (Amazon VPC)`];
const NINETY_DAYS_MILLISECONDS = 90 * 24 * 3600 * 1000;

interface PricePoint {
  readonly pool: PoolRecord;
  readonly price: number;
  readonly time: Date;
}

/**
 * Newest first. Of each pool also the price that was in force at StartTime, whose time is before it. After the last page
 * the NextToken is there and empty, of an answer that fits on one page it isn't there: EC2 has sent both.
 */
export const describeSpotPriceHistory: Ec2Action = {
  parameters: [
    'StartTime',
    'EndTime',
    'InstanceType',
    'ProductDescription',
    'Filter',
    'AvailabilityZone',
    'AvailabilityZoneId',
    'MaxResults',
    'NextToken',
    'DryRun',
  ],
  run(request) {
    const { cloud, region, parameters, now } = request;
    const { clock, market } = cloud;
    const page = readPage(parameters, { min: 1, max: 1000, usual: 1000 });
    const readAt = page.readAt ?? now;
    const nowWall = clock.wallAt(readAt).getTime();
    const endWall = Math.min(parameters.moment('EndTime')?.getTime() ?? nowWall, nowWall);
    const oldest = nowWall - NINETY_DAYS_MILLISECONDS;
    const startWall = Math.max(parameters.moment('StartTime')?.getTime() ?? oldest, oldest);
    if (startWall > endWall && parameters.has('EndTime')) {
      throw new Ec2Error('InvalidParameterCombination', 'StartTime must not be after EndTime');
    }
    const zone = readZone(request);
    const types = parameters.list('InstanceType');
    const products = parameters.list('ProductDescription');
    const points = market
      .pools(region)
      .filter((pool) => zone === null || pool.zone === zone)
      .filter((pool) => types.length === 0 || types.includes(pool.instanceType))
      .filter(() => products.length === 0 || products.some((product) => PRODUCTS.includes(product)))
      .flatMap((pool): PricePoint[] => {
        const from = clock.cloudAt(new Date(Math.min(startWall, endWall)));
        return market
          .priceChanges(pool, from, clock.cloudAt(new Date(endWall)))
          .map(({ at, price }) => ({ pool, price, time: wholeSecond(clock.wallAt(at)) }));
      });
    const sample = market.pools(region)[0] as PoolRecord;
    const matches = readFilters(parameters, filterValues, { pool: sample, price: 0, time: new Date(0) });
    const sorted = points.filter(matches).sort((a, b) => b.time.getTime() - a.time.getTime());
    const { items, nextToken } = takePage(sorted, page, readAt);
    return {
      spotPriceHistorySet: items.map(({ pool, price, time }) => ({
        instanceType: pool.instanceType,
        productDescription: PRODUCT,
        spotPrice: price.toFixed(6),
        timestamp: time,
        availabilityZone: pool.zone,
        availabilityZoneId: zoneId(pool.zone, region),
      })),
      nextToken: nextToken ?? (parameters.has('NextToken') ? '' : null),
    };
  },
};

/** By name or id; null when it doesn't matter. */
function readZone({ cloud, region, parameters }: Ec2Request): string | null {
  const name = parameters.text('AvailabilityZone');
  const id = parameters.text('AvailabilityZoneId');
  if (name === null && id === null) return null;
  if (name !== null && id !== null) {
    throw new Ec2Error(
      'InvalidParameterCombination',
      'The parameters AvailabilityZone and AvailabilityZoneId exclude each other.',
    );
  }
  const zone = cloud.market.zones(region).find((known) => known === name || zoneId(known, region) === id);
  if (zone === undefined) throw invalid(`Invalid availability zone: [${name ?? id}]`);
  return zone;
}

function filterValues({ pool, price, time }: PricePoint, filter: string): readonly string[] | null {
  switch (filter) {
    case 'availability-zone':
      return [pool.zone];
    case 'availability-zone-id':
      return [zoneId(pool.zone, pool.region)];
    case 'instance-type':
      return [pool.instanceType];
    case 'product-description':
      return PRODUCTS;
    case 'spot-price':
      return [price.toFixed(6)];
    case 'timestamp':
      return [time.toISOString()];
    default:
      return null;
  }
}
