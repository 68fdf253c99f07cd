/** EC2's refusals for want of room, each with the words that it has for it. */
import type { Cloud } from '../cloud';
import type { PurchaseOption } from '../books/entities';
import { subnetOf } from '../instances/network';
import type { Shortage } from '../instances/room';
import type { PoolRecord } from '../market/market';
import { Ec2Error } from './errors';

const ADJUST =
  'Please visit http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit.';

export interface Refused {
  readonly pool: PoolRecord;
  readonly option: PurchaseOption;
  readonly min: number;
  readonly maxPrice: string | null;
}

export function shortageError(
  cloud: Cloud,
  shortage: Shortage,
  { pool, option, min, maxPrice }: Refused,
): Ec2Error {
  const isSpot = option === 'spot';
  switch (shortage.kind) {
    case 'capacity':
      return new Ec2Error(
        'InsufficientInstanceCapacity',
        isSpot ? 'There is no Spot capacity available that matches your request.' : elsewhere(cloud, pool),
      );
    case 'price':
      return new Ec2Error(
        'SpotMaxPriceTooLow',
        `Your Spot request price of ${maxPrice} is lower than the minimum required Spot request fulfillment price of ${shortage.price}.`,
      );
    case 'vcpus':
      if (isSpot) return tooManySpot();
      return new Ec2Error(
        'VcpuLimitExceeded',
        `You have requested more vCPU capacity than your current vCPU limit of ${shortage.most} allows for the instance bucket that the specified instance type belongs to. ${ADJUST}`,
      );
    case 'instances':
      if (isSpot) return tooManySpot();
      return new Ec2Error(
        'InstanceLimitExceeded',
        `You have requested more instances (${min}) than your current instance limit of ${shortage.most} allows for the specified instance type. ${ADJUST}`,
      );
    case 'addresses':
      return new Ec2Error(
        'InsufficientFreeAddressesInSubnet',
        `There are not enough free addresses in subnet '${subnetOf(pool.zone)}' to satisfy the requested number of instances.`,
      );
  }
}

/** The type isn't had in the zone, or (null) in any of the region. */
export function unsupported(
  cloud: Cloud,
  region: string,
  instanceType: string,
  zone: string | null,
): Ec2Error {
  const others = zonesWith(cloud, region, instanceType).join(', ');
  return new Ec2Error(
    'Unsupported',
    `Your requested instance type (${instanceType}) is not supported in your requested Availability Zone (${zone ?? region}).` +
      (others && ` Please retry your request by not specifying an Availability Zone or choosing ${others}.`),
  );
}

function tooManySpot(): Ec2Error {
  return new Ec2Error('MaxSpotInstanceCountExceeded', 'Max spot instance count exceeded');
}

function elsewhere(cloud: Cloud, { region, zone, instanceType }: PoolRecord): string {
  const open = zonesWith(cloud, region, instanceType).filter((other) => {
    const pool = cloud.market.pool(other, instanceType);
    return pool !== undefined && cloud.isAvailable(pool, 'ondemand', cloud.time);
  });
  return (
    `We currently do not have sufficient ${instanceType} capacity in the Availability Zone you requested (${zone}). Our system will be working on provisioning additional capacity.` +
    (open.length > 0
      ? ` You can currently get ${instanceType} capacity by not specifying an Availability Zone in your request or choosing ${open.join(', ')}.`
      : '')
  );
}

function zonesWith({ market }: Cloud, region: string, instanceType: string): string[] {
  return market
    .pools(region)
    .filter((pool) => pool.instanceType === instanceType)
    .map(({ zone }) => zone);
}
