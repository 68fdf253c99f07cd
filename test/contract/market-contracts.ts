/** Zones, types, prices. Source: EC2 API reference, the Describe actions named; AWS Price List Query API, GetProducts. */
import { DescribeSpotPriceHistoryCommand } from '@aws-sdk/client-ec2';
import type { Contracts } from './contracts';

const HOUR = 3_600_000;

export const marketContracts: Contracts = {
  async 'zones are of the region, and sorted'(cloud) {
    const zones = await cloud.port.market.zones();
    expect(zones).toEqual(expect.arrayContaining(cloud.facts.zones));
    expect(zones).toEqual([...zones].sort());
    expect(zones.every((zone) => zone.startsWith(cloud.facts.region))).toBe(true);
  },

  async 'an accelerated type says so, and can not hibernate'(cloud) {
    const { instanceType } = cloud.facts;
    const { found, unknown } = await cloud.port.market.instanceTypes([instanceType, 'x9.nonsense']);
    expect(unknown).toEqual(['x9.nonsense']);
    const type = found.get(instanceType);
    expect(type).toMatchObject({
      gpus: 1,
      accelerated: true,
      hibernationSupported: false,
      spotSupported: true,
      architectures: expect.arrayContaining(['x86_64']),
    });
    expect(type?.vcpus).toBeGreaterThan(0);
    expect(type?.memoryMib).toBeGreaterThan(1024);
  },

  async 'spot prices are one a zone, in decimals'(cloud) {
    const { instanceType, zones } = cloud.facts;
    const prices = await cloud.port.market.spotPrices([instanceType]);
    const named = prices.map(({ zone }) => zone);
    expect(new Set(named).size).toBe(named.length);
    expect(named).toEqual(expect.arrayContaining(zones));
    for (const price of prices) {
      expect(price.instanceType).toBe(instanceType);
      expect(price.priceUsdPerHour).toMatch(/^\d+\.\d+$/);
      expect(Number(price.priceUsdPerHour)).toBeGreaterThan(0);
    }
  },

  async 'the history of a price begins with the one in force, and goes forward'(cloud) {
    const { instanceType, zones } = cloud.facts;
    const to = new Date();
    const from = new Date(to.getTime() - 1000);
    const points = await cloud.port.market.spotPriceHistory({ instanceType, from, to });
    for (const zone of zones) {
      const [first] = points.filter((point) => point.zone === zone);
      expect(Date.parse(first!.at)).toBeLessThanOrEqual(from.getTime());
    }
    expect(points.every((point) => point.instanceType === instanceType)).toBe(true);
    expect(points.every((point) => Date.parse(point.at) <= to.getTime())).toBe(true);
    const times = points.map(({ at }) => at);
    expect(times).toEqual([...times].sort());
  },

  async 'the history of a price can be of one zone'(cloud) {
    const { instanceType, zones } = cloud.facts;
    const to = new Date();
    const from = new Date(to.getTime() - 24 * HOUR);
    const points = await cloud.port.market.spotPriceHistory({ instanceType, zone: zones[0], from, to });
    expect(new Set(points.map(({ zone }) => zone))).toEqual(new Set([zones[0]]));
  },

  async 'the history of prices comes in pages'(cloud) {
    const reply = await cloud.ec2.send(
      new DescribeSpotPriceHistoryCommand({
        ProductDescriptions: ['Linux/UNIX'],
        StartTime: new Date(Date.now() - 24 * HOUR),
        MaxResults: 2,
      }),
    );
    expect(reply.SpotPriceHistory).toHaveLength(2);
    expect(reply.NextToken).toBeTruthy();
  },

  async 'the on-demand price is a decimal above the spot price'(cloud) {
    const { instanceType } = cloud.facts;
    const price = await cloud.port.market.onDemandPrice(instanceType);
    expect(price).toMatch(/^\d+\.\d+$/);
    const [spot] = await cloud.port.market.spotPrices([instanceType]);
    expect(Number(price)).toBeGreaterThan(Number(spot!.priceUsdPerHour));
    expect(await cloud.port.market.onDemandPrice('x9.nonsense')).toBeNull();
  },
};
