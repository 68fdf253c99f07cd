/** The simulated EC2 as tests of its instances use it: one client of the real SDK, and shorthands for what they do most. */
import {
  DescribeInstancesCommand,
  DescribeSpotInstanceRequestsCommand,
  EC2Client,
  RunInstancesCommand,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import type { Instance, RunInstancesCommandInput, SpotInstanceRequest } from '@aws-sdk/client-ec2';
import type { Simulator } from '../harness/simulator';
import { control } from './simulator-control';

export const ZONES = ['us-east-1a', 'us-east-1b', 'us-east-1c'] as const;

/** Launches are spot m5.large in the second zone unless a test says otherwise. */
export class SimulatedEc2 {
  readonly client: EC2Client;

  constructor(private readonly simulator: Simulator) {
    this.client = new EC2Client({
      region: 'us-east-1',
      endpoint: simulator.ready.cloudUrl,
      credentials: { accessKeyId: 'AKIDTEST', secretAccessKey: 'secret' },
      maxAttempts: 1,
    });
  }

  close(): void {
    this.client.destroy();
  }

  async run(changes: Partial<RunInstancesCommandInput> = {}): Promise<Instance[]> {
    const { Instances } = await this.client.send(
      new RunInstancesCommand({
        ImageId: this.simulator.ready.imageId,
        InstanceType: 'm5.large',
        MinCount: 1,
        MaxCount: 1,
        Placement: { AvailabilityZone: ZONES[1] },
        InstanceMarketOptions: { MarketType: 'spot' },
        ...changes,
      }),
    );
    return Instances ?? [];
  }

  async launch(changes: Partial<RunInstancesCommandInput> = {}): Promise<Instance & { InstanceId: string }> {
    const [instance] = await this.run(changes);
    return instance as Instance & { InstanceId: string };
  }

  async describe(...InstanceIds: string[]): Promise<Instance[]> {
    const { Reservations } = await this.client.send(new DescribeInstancesCommand({ InstanceIds }));
    return (Reservations ?? []).flatMap(({ Instances }) => Instances ?? []);
  }

  async one(id: string): Promise<Instance> {
    return (await this.describe(id))[0] as Instance;
  }

  async stateOf(id: string): Promise<string | undefined> {
    return (await this.one(id)).State?.Name;
  }

  terminate(...InstanceIds: string[]) {
    return this.client.send(new TerminateInstancesCommand({ InstanceIds }));
  }

  stop(InstanceId: string, how: { Hibernate?: boolean; Force?: boolean } = {}) {
    return this.client.send(new StopInstancesCommand({ InstanceIds: [InstanceId], ...how }));
  }

  start(...InstanceIds: string[]) {
    return this.client.send(new StartInstancesCommand({ InstanceIds }));
  }

  async request(id: string | undefined): Promise<SpotInstanceRequest> {
    const { SpotInstanceRequests } = await this.client.send(
      new DescribeSpotInstanceRequestsCommand({ SpotInstanceRequestIds: [id as string] }),
    );
    return SpotInstanceRequests?.[0] as SpotInstanceRequest;
  }

  /** State and status of a spot request. */
  async statusOf(id: string | undefined): Promise<string> {
    const { State, Status } = await this.request(id);
    return `${State} ${Status?.Code}`;
  }

  control<T>(path: string, body?: object): Promise<T> {
    return control<T>(this.simulator, path, body);
  }

  advance(seconds: number): Promise<unknown> {
    return this.control('/clock/advance', { seconds });
  }

  /** Takes m5.large from a zone, or gives it back. */
  async setCapacity(
    has: boolean,
    zone: string = ZONES[1],
    option: 'spot' | 'ondemand' = 'spot',
  ): Promise<void> {
    await this.control(has ? '/pools/give-back' : '/pools/take', { zone, instance_type: 'm5.large', option });
  }
}

/** What a launch adds to be one of a persistent request. */
export function persistent(
  options: { behavior?: 'stop' | 'hibernate'; maxPrice?: string; validUntil?: Date } = {},
): Pick<RunInstancesCommandInput, 'InstanceMarketOptions'> {
  const { behavior = 'stop', maxPrice, validUntil } = options;
  return {
    InstanceMarketOptions: {
      MarketType: 'spot',
      SpotOptions: {
        SpotInstanceType: 'persistent',
        InstanceInterruptionBehavior: behavior,
        ...(maxPrice !== undefined && { MaxPrice: maxPrice }),
        ...(validUntil && { ValidUntil: validUntil }),
      },
    },
  };
}

export const ON_DEMAND = { InstanceMarketOptions: undefined };
/** What hibernation needs of the root volume. */
export const ENCRYPTED_ROOT: Pick<RunInstancesCommandInput, 'BlockDeviceMappings'> = {
  BlockDeviceMappings: [{ DeviceName: '/dev/xvda', Ebs: { Encrypted: true } }],
};
