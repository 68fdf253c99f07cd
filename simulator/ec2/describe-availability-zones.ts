import { invalid } from './errors';
import { readFilters } from './filters';
import type { Ec2Action } from './request';

export const describeAvailabilityZones: Ec2Action = {
  parameters: ['ZoneName', 'ZoneId', 'AllAvailabilityZones', 'Filter', 'DryRun'],
  run({ cloud, region, parameters }) {
    const zones = cloud.market.zones(region);
    const names = parameters.list('ZoneName');
    const unknown = names.find((name) => !zones.includes(name));
    if (unknown !== undefined) throw invalid(`Invalid availability zone: [${unknown}]`);
    const ids = parameters.list('ZoneId');
    const matches = readFilters(
      parameters,
      (zone, filter) => filterValues(zone, filter, region),
      zones[0] as string,
    );
    return {
      availabilityZoneInfo: zones
        .filter((zone) => names.length === 0 || names.includes(zone))
        .filter((zone) => ids.length === 0 || ids.includes(zoneId(zone, region)))
        .filter(matches)
        .map((zone) => ({
          optInStatus: 'opt-in-not-required',
          messageSet: [],
          regionName: region,
          zoneName: zone,
          zoneId: zoneId(zone, region),
          groupName: `${region}-zg-1`,
          networkBorderGroup: region,
          zoneType: 'availability-zone',
          zoneState: 'available',
        })),
    };
  },
};

/** For example `use1-az1` of `us-east-1a`. */
export function zoneId(zone: string, region: string): string {
  const [continent = '', direction = '', number = ''] = region.split('-');
  return `${continent}${direction.charAt(0)}${number}-az${zone.charCodeAt(zone.length - 1) - 96}`;
}

function filterValues(zone: string, filter: string, region: string): readonly string[] | null {
  switch (filter) {
    case 'zone-name':
      return [zone];
    case 'zone-id':
      return [zoneId(zone, region)];
    case 'region-name':
      return [region];
    case 'group-name':
      return [`${region}-zg-1`];
    case 'state':
      return ['available'];
    case 'zone-type':
      return ['availability-zone'];
    case 'opt-in-status':
      return ['opt-in-not-required'];
    default:
      return null;
  }
}
