/** The AWS adapter of the port. Endpoint, credentials and profile come the SDK's standard ways. */
import {
  DescribeAvailabilityZonesCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  DescribeSpotPriceHistoryCommand,
  EC2Client,
  RunInstancesCommand,
  type RunInstancesCommandInput,
  TerminateInstancesCommand,
  type _InstanceType,
} from '@aws-sdk/client-ec2';
import { classifyAwsError } from './aws-errors';
import {
  CloudError,
  type CloudPort,
  type Ec2InstanceState,
  type LaunchSpec,
  type ZonePrice,
} from './cloud-port';

/** The adapter for one region. Close it with `destroy()`. */
export class AwsCloud implements CloudPort {
  private readonly ec2: EC2Client;

  constructor(region: string) {
    this.ec2 = new EC2Client({
      region,
      // What fails is Temporal's to retry, and to show. The SDK would also repeat a lack of capacity, which is a 500,
      // and so lose seconds of the two minutes to a pool that has nothing.
      maxAttempts: 1,
      requestHandler: { connectionTimeout: 3_000, requestTimeout: 15_000, throwOnRequestTimeout: true },
    });
  }

  destroy(): void {
    this.ec2.destroy();
  }

  async launch(spec: LaunchSpec): Promise<{ instanceId: string }> {
    const { pool } = spec;
    const reply = await this.ask(`RunInstances for ${pool.option} ${pool.instanceType} in ${pool.zone}`, () =>
      this.ec2.send(new RunInstancesCommand(runInstancesInput(spec))),
    );
    const instanceId = reply.Instances?.[0]?.InstanceId;
    if (!instanceId)
      throw new CloudError('retry', 'EmptyReply', 'RunInstances answered without an instance.');
    return { instanceId };
  }

  async instanceState(instanceId: string): Promise<{ state: Ec2InstanceState; reason: string } | null> {
    try {
      const reply = await this.ask(`DescribeInstances of ${instanceId}`, () =>
        this.ec2.send(new DescribeInstancesCommand({ InstanceIds: [instanceId] })),
      );
      const found = reply.Reservations?.flatMap((one) => one.Instances ?? []).find(
        (one) => one.InstanceId === instanceId,
      );
      if (!found?.State?.Name) return null;
      return { state: found.State.Name as Ec2InstanceState, reason: found.StateReason?.Message ?? '' };
    } catch (error) {
      if (error instanceof CloudError && error.kind === 'already_done') return null;
      throw error;
    }
  }

  async findByTag(key: string, value: string): Promise<{ instanceId: string } | null> {
    const reply = await this.ask(`DescribeInstances with ${key}=${value}`, () =>
      this.ec2.send(new DescribeInstancesCommand({ Filters: [{ Name: `tag:${key}`, Values: [value] }] })),
    );
    const instanceId = reply.Reservations?.flatMap((one) => one.Instances ?? [])[0]?.InstanceId;
    return instanceId ? { instanceId } : null;
  }

  async terminate(instanceId: string): Promise<void> {
    await this.ask(`TerminateInstances of ${instanceId}`, () =>
      this.ec2.send(new TerminateInstancesCommand({ InstanceIds: [instanceId] })),
    );
  }

  async spotPrices(instanceType: string): Promise<ZonePrice[]> {
    const newest = new Map<string, { at: number; price: string }>();
    let NextToken: string | undefined;
    do {
      const reply = await this.ask(`DescribeSpotPriceHistory of ${instanceType}`, () =>
        this.ec2.send(
          new DescribeSpotPriceHistoryCommand({
            InstanceTypes: [instanceType as _InstanceType],
            ProductDescriptions: ['Linux/UNIX'],
            // From now on: EC2 answers with the price in force in each zone.
            StartTime: new Date(),
            NextToken,
          }),
        ),
      );
      for (const { AvailabilityZone: zone, SpotPrice: price, Timestamp } of reply.SpotPriceHistory ?? []) {
        if (!zone || !price) continue;
        const at = Timestamp?.getTime() ?? 0;
        if ((newest.get(zone)?.at ?? -1) < at) newest.set(zone, { at, price });
      }
      NextToken = reply.NextToken || undefined; // EC2 ends with an empty one as well as with none.
    } while (NextToken);
    return [...newest].map(([zone, { price }]) => ({ zone, priceUsdPerHour: price }));
  }

  async zones(): Promise<string[]> {
    const reply = await this.ask('DescribeAvailabilityZones', () =>
      this.ec2.send(
        new DescribeAvailabilityZonesCommand({
          Filters: [
            { Name: 'state', Values: ['available'] },
            { Name: 'zone-type', Values: ['availability-zone'] },
          ],
        }),
      ),
    );
    return (reply.AvailabilityZones ?? []).flatMap((zone) => zone.ZoneName ?? []).sort();
  }

  async newestImage(tags: Record<string, string>): Promise<string | null> {
    const reply = await this.ask('DescribeImages', () =>
      this.ec2.send(
        new DescribeImagesCommand({
          Owners: ['self'],
          Filters: [
            { Name: 'state', Values: ['available'] },
            ...Object.entries(tags).map(([key, value]) => ({ Name: `tag:${key}`, Values: [value] })),
          ],
        }),
      ),
    );
    const images = (reply.Images ?? []).sort((a, b) =>
      (b.CreationDate ?? '').localeCompare(a.CreationDate ?? ''),
    );
    return images[0]?.ImageId ?? null;
  }

  private async ask<Reply>(doing: string, call: () => Promise<Reply>): Promise<Reply> {
    try {
      return await call();
    } catch (error) {
      throw classifyAwsError(error, doing);
    }
  }
}

function runInstancesInput({
  pool,
  clientToken,
  imageId,
  userData,
  tags,
}: LaunchSpec): RunInstancesCommandInput {
  return {
    ClientToken: clientToken,
    ImageId: imageId,
    InstanceType: pool.instanceType as _InstanceType,
    MinCount: 1,
    MaxCount: 1,
    Placement: { AvailabilityZone: pool.zone },
    UserData: Buffer.from(userData).toString('base64'),
    MetadataOptions: { HttpTokens: 'required', InstanceMetadataTags: 'enabled' },
    TagSpecifications: [{ ResourceType: 'instance', Tags: tagList(tags) }],
    // One-time, and never asking for hibernation: that would cost the two minutes of notice.
    ...(pool.option === 'spot' && {
      InstanceMarketOptions: {
        MarketType: 'spot',
        SpotOptions: { SpotInstanceType: 'one-time', InstanceInterruptionBehavior: 'terminate' },
      },
    }),
  };
}

function tagList(tags: Record<string, string>) {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}
