import type { Cloud } from '../cloud';
import { limitId } from '../instances/room';
import { SUBNET_ADDRESSES, subnetOf, vpcOf } from '../instances/network';
import { zoneId } from './describe-availability-zones';
import { Ec2Error } from './errors';
import { readFilters } from './filters';
import { readPage, takePage } from './paging';
import type { Ec2Action, Ec2Request } from './request';

/** Each zone's default subnet. */
export const describeSubnets: Ec2Action = {
  parameters: ['SubnetId', 'Filter', 'MaxResults', 'NextToken', 'DryRun'],
  run(request) {
    const { cloud, region, parameters, now } = request;
    const page = readPage(parameters, { min: 5, max: 1000, usual: 1000 });
    const zones = cloud.market.zones(region);
    const ids = parameters.list('SubnetId');
    const stranger = ids.find((id) => !zones.some((zone) => subnetOf(zone) === id));
    if (stranger !== undefined)
      throw new Ec2Error('InvalidSubnetID.NotFound', `The subnet ID '${stranger}' does not exist`);
    const matches = readFilters(
      parameters,
      (zone, filter) => filterValues(request, zone, filter),
      zones[0] as string,
    );
    const asked = zones.filter((zone) => ids.length === 0 || ids.includes(subnetOf(zone)));
    const { items, nextToken } = takePage(asked.filter(matches), page, now);
    return {
      subnetSet: items.map((zone) => ({
        subnetId: subnetOf(zone),
        subnetArn: `arn:aws:ec2:${region}:${cloud.accountId}:subnet/${subnetOf(zone)}`,
        vpcId: vpcOf(region),
        ownerId: cloud.accountId,
        state: 'available',
        availabilityZone: zone,
        availabilityZoneId: zoneId(zone, region),
        availableIpAddressCount: freeAddresses(cloud, zone),
        cidrBlock: `172.31.${16 * (zone.charCodeAt(zone.length - 1) - 97)}.0/20`,
        defaultForAz: true,
        mapPublicIpOnLaunch: true,
        assignIpv6AddressOnCreation: false,
      })),
      nextToken,
    };
  },
};

function freeAddresses({ books }: Cloud, zone: string): number {
  const used = books.all('instance').filter((one) => one.zone === zone && one.state !== 'terminated').length;
  const all = books.get('limit', limitId('addresses', zone))?.most ?? SUBNET_ADDRESSES;
  return Math.max(0, all - used);
}

function filterValues({ cloud, region }: Ec2Request, zone: string, filter: string): readonly string[] | null {
  switch (filter) {
    case 'subnet-id':
      return [subnetOf(zone)];
    case 'vpc-id':
      return [vpcOf(region)];
    case 'availability-zone':
      return [zone];
    case 'availability-zone-id':
      return [zoneId(zone, region)];
    case 'default-for-az':
      return ['true'];
    case 'state':
      return ['available'];
    case 'owner-id':
      return [cloud.accountId];
    default:
      return null;
  }
}
