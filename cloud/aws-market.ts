/** Zones, types and spot prices at EC2; on-demand prices are `aws-prices.ts`. */
import {
  DescribeAvailabilityZonesCommand,
  DescribeInstanceTypesCommand,
  DescribeSpotPriceHistoryCommand,
  type DescribeSpotPriceHistoryCommandInput,
  type InstanceTypeInfo,
  type _InstanceType,
} from '@aws-sdk/client-ec2';
import { ask, ec2Call } from './aws-calls';
import type { AwsClients } from './aws-clients';
import { onDemandPrice } from './aws-prices';
import { inBatches } from './batching';
import type { Described } from './cloud-port';
import type { InstanceTypeDescription, MarketPort, SpotPricePoint, ZonePrice } from './market-port';
import { allPages } from './paging';

export class AwsMarket implements MarketPort {
  readonly #clients: AwsClients;

  constructor(clients: AwsClients) {
    this.#clients = clients;
  }

  async zones() {
    const Filters = [
      { Name: 'state', Values: ['available'] },
      { Name: 'zone-type', Values: ['availability-zone'] },
    ];
    const reply = await ask(ec2Call('DescribeAvailabilityZones', `in ${this.#clients.region}`), () =>
      this.#clients.looks.send(new DescribeAvailabilityZonesCommand({ Filters })),
    );
    return (reply.AvailabilityZones ?? []).flatMap((zone) => zone.ZoneName ?? []).sort();
  }

  async instanceTypes(names: readonly string[]): Promise<Described<InstanceTypeDescription>> {
    const { replies } = await inBatches(
      names,
      (batch) => this.#describeTypes(batch),
      (error) => (error.code === 'InvalidInstanceType' ? 'sift' : 'throw'),
    );
    const found = new Map(replies.flat().map((type) => [type.instanceType, type]));
    return { found, unknown: [...new Set(names)].filter((name) => !found.has(name)) };
  }

  async spotPrices(instanceTypes: readonly string[]): Promise<ZonePrice[]> {
    if (instanceTypes.length === 0) return [];
    // From now on: EC2 answers with the price in force in each zone.
    const points = await this.#prices({
      InstanceTypes: [...instanceTypes] as _InstanceType[],
      StartTime: new Date(),
    });
    const newest = new Map<string, SpotPricePoint>();
    for (const point of points) newest.set(`${point.instanceType}/${point.zone}`, point);
    return [...newest.values()].map(({ zone, instanceType, priceUsdPerHour }) => ({
      zone,
      instanceType,
      priceUsdPerHour,
    }));
  }

  spotPriceHistory(request: { instanceType: string; zone?: string; from: Date; to: Date }) {
    const { instanceType, zone, from, to } = request;
    return this.#prices({
      InstanceTypes: [instanceType as _InstanceType],
      StartTime: from,
      EndTime: to,
      ...(zone !== undefined && { AvailabilityZone: zone }),
    });
  }

  onDemandPrice(instanceType: string) {
    return onDemandPrice(this.#clients, instanceType);
  }

  #describeTypes(names: string[]): Promise<InstanceTypeDescription[]> {
    const call = ec2Call('DescribeInstanceTypes', `of ${names.join(', ')}`);
    return allPages(
      'DescribeInstanceTypes',
      (NextToken) =>
        ask(call, async () => {
          const InstanceTypes = names as _InstanceType[];
          const command = new DescribeInstanceTypesCommand({ InstanceTypes, NextToken });
          const reply = await this.#clients.looks.send(command);
          return { items: (reply.InstanceTypes ?? []).map(typeDescription), nextToken: reply.NextToken };
        }),
      (type) => type.instanceType,
    );
  }

  /** Oldest first. */
  async #prices(input: DescribeSpotPriceHistoryCommandInput): Promise<SpotPricePoint[]> {
    const call = ec2Call('DescribeSpotPriceHistory', `of ${(input.InstanceTypes ?? []).join(', ')}`);
    const points = await allPages(
      'DescribeSpotPriceHistory',
      (NextToken) =>
        ask(call, async () => {
          const command = new DescribeSpotPriceHistoryCommand({
            ...input,
            ProductDescriptions: ['Linux/UNIX'],
            NextToken,
          });
          const reply = await this.#clients.looks.send(command);
          return { items: (reply.SpotPriceHistory ?? []).flatMap(pricePoint), nextToken: reply.NextToken };
        }),
      (point) => `${point.instanceType}/${point.zone}/${point.at}`,
    );
    return points.sort((one, other) => one.at.localeCompare(other.at));
  }
}

function pricePoint(entry: {
  AvailabilityZone?: string;
  InstanceType?: string;
  SpotPrice?: string;
  Timestamp?: Date;
}): SpotPricePoint[] {
  const { AvailabilityZone: zone, InstanceType: instanceType, SpotPrice: price, Timestamp } = entry;
  if (!zone || !instanceType || !price || !Timestamp) return [];
  return [{ zone, instanceType, priceUsdPerHour: price, at: Timestamp.toISOString() }];
}

function typeDescription(info: InstanceTypeInfo): InstanceTypeDescription {
  const gpus = (info.GpuInfo?.Gpus ?? []).reduce((sum, { Count }) => sum + (Count ?? 0), 0);
  const { InferenceAcceleratorInfo, FpgaInfo, MediaAcceleratorInfo, NeuronInfo } = info;
  return {
    instanceType: info.InstanceType ?? '',
    vcpus: info.VCpuInfo?.DefaultVCpus ?? 0,
    memoryMib: info.MemoryInfo?.SizeInMiB ?? 0,
    gpus,
    accelerated:
      gpus > 0 || [InferenceAcceleratorInfo, FpgaInfo, MediaAcceleratorInfo, NeuronInfo].some(Boolean),
    hibernationSupported: info.HibernationSupported ?? false,
    spotSupported: (info.SupportedUsageClasses ?? []).includes('spot'),
    architectures: info.ProcessorInfo?.SupportedArchitectures ?? [],
  };
}
