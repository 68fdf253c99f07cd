/** A cloud that the contracts are held against: an address of AWS's APIs, and what its maker alone can tell of it. */
import {
  CreateImageCommand,
  EC2Client,
  type Instance,
  ModifyInstanceAttributeCommand,
  RunInstancesCommand,
  type RunInstancesCommandInput,
} from '@aws-sdk/client-ec2';
import { AwsCloud } from '../../cloud/aws-cloud';
import type { ImageDescription } from '../../cloud/image-port';
import type { InstanceDescription, LaunchSpec } from '../../cloud/instance-port';
import { until } from '../harness/until';

export interface CloudFacts {
  url: string;
  region: string;
  /** Two zones of the region. */
  zones: [string, string];
  accountId: string;
  /** An image to launch from. */
  imageId: string;
  /** Of an accelerated type, with one GPU. */
  instanceType: string;
  /** A role that takes on whoever names the external id. */
  role: { arn: string; externalId: string };
  /** Lets a pool have nothing to give, or again. */
  setCapacity(zone: string, has: boolean): Promise<void>;
}

export class CloudUnderTest {
  readonly port: AwsCloud;
  /** For what the port hides. Sends everything once. */
  readonly ec2: EC2Client;
  #count = 0;

  constructor(readonly facts: CloudFacts) {
    process.env['AWS_ENDPOINT_URL'] = facts.url;
    process.env['AWS_ACCESS_KEY_ID'] = 'AKIACONTRACT';
    process.env['AWS_SECRET_ACCESS_KEY'] = 'contract';
    this.port = new AwsCloud({ region: facts.region });
    this.ec2 = new EC2Client({ region: facts.region, maxAttempts: 1 });
  }

  destroy(): void {
    this.port.destroy();
    this.ec2.destroy();
  }

  /** A text that no other of this run is like. */
  unique(prefix: string): string {
    return `${prefix}-${++this.#count}-${process.pid}`;
  }

  /** What the port is asked to launch: on-demand, in the first zone. */
  spec(changes: Partial<LaunchSpec> = {}): LaunchSpec {
    const { imageId, instanceType, zones } = this.facts;
    return {
      clientToken: this.unique('token'),
      imageId,
      pool: { instanceType, zone: zones[0], option: 'ondemand' },
      userData: 'contract',
      tags: { 'contract:launch': this.unique('launch') },
      ...changes,
    };
  }

  spot(changes: Partial<LaunchSpec> = {}): LaunchSpec {
    const { instanceType, zones } = this.facts;
    return this.spec({ pool: { instanceType, zone: zones[0], option: 'spot' }, ...changes });
  }

  /** A raw launch. */
  async run(changes: Partial<RunInstancesCommandInput> = {}): Promise<Instance & { InstanceId: string }> {
    const { imageId, instanceType, zones } = this.facts;
    const { Instances } = await this.ec2.send(
      new RunInstancesCommand({
        ImageId: imageId,
        InstanceType: instanceType as RunInstancesCommandInput['InstanceType'],
        MinCount: 1,
        MaxCount: 1,
        Placement: { AvailabilityZone: zones[0] },
        ...changes,
      }),
    );
    const made = Instances?.[0];
    if (!made?.InstanceId) throw new Error('RunInstances made no instance.');
    return { ...made, InstanceId: made.InstanceId };
  }

  /** One that runs, through the port. */
  async running(spec: LaunchSpec = this.spec()): Promise<InstanceDescription> {
    const { instanceId } = await this.port.instances.launch(spec);
    return this.inState(instanceId, 'running');
  }

  inState(instanceId: string, state: InstanceDescription['state']): Promise<InstanceDescription> {
    return until(
      `${instanceId} is ${state}`,
      async () => {
        const found = await this.port.instances.describeOne(instanceId);
        return found?.state === state ? found : null;
      },
      15_000,
    );
  }

  /** An available image of a running instance, made as anybody would. */
  async image(instanceId: string, tags: Record<string, string> = {}, name = this.unique('image')) {
    const Tags = Object.entries({ ...tags, 'contract:image': name }).map(([Key, Value]) => ({ Key, Value }));
    const { ImageId } = await this.ec2.send(
      new CreateImageCommand({
        InstanceId: instanceId,
        Name: name,
        NoReboot: true,
        TagSpecifications: [{ ResourceType: 'image', Tags }],
      }),
    );
    return this.available(ImageId!);
  }

  available(imageId: string): Promise<ImageDescription> {
    return until(
      `${imageId} is available`,
      async () => {
        const found = (await this.port.images.describe([imageId])).found.get(imageId);
        return found?.state === 'available' ? found : null;
      },
      15_000,
    );
  }

  /** Sets an instance's termination protection. */
  async protect(instanceId: string): Promise<void> {
    await this.ec2.send(
      new ModifyInstanceAttributeCommand({ InstanceId: instanceId, DisableApiTermination: { Value: true } }),
    );
  }
}

export interface Refusal {
  code: string;
  status: number | undefined;
}

/** What a raw call is refused with. @throws Error when it isn't. */
export async function refusal(run: Promise<unknown>): Promise<Refusal> {
  try {
    await run;
  } catch (error) {
    const { name, Code, $metadata } = error as Error & {
      Code?: string;
      $metadata?: { httpStatusCode?: number };
    };
    return { code: Code ?? name, status: $metadata?.httpStatusCode };
  }
  throw new Error('It was not refused.');
}

/** Ids of the right form that no cloud has given out. */
export const unknownIds = {
  instance: 'i-0123456789abcdef0',
  image: 'ami-0123456789abcdef0',
  snapshot: 'snap-0123456789abcdef0',
  volume: 'vol-0123456789abcdef0',
  spotRequest: 'sir-0123abcd',
};
