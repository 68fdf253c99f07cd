/** Instant fleets and launch templates of the simulated EC2. */
import {
  CreateFleetCommand,
  CreateLaunchTemplateCommand,
  CreateLaunchTemplateVersionCommand,
  CreateTagsCommand,
  DeleteLaunchTemplateCommand,
  DescribeLaunchTemplatesCommand,
  DescribeSubnetsCommand,
} from '@aws-sdk/client-ec2';
import type {
  CreateFleetCommandInput,
  CreateFleetResult,
  FleetLaunchTemplateOverridesRequest,
  RequestLaunchTemplateData,
} from '@aws-sdk/client-ec2';
import { type Simulator, startSimulator } from '../harness/simulator';
import { SimulatedEc2, ZONES } from './simulator-client';
import { refusal } from './simulator-requests';

let simulator: Simulator;
let ec2: SimulatedEc2;
let name: string;
let count = 0;

beforeAll(async () => {
  simulator = await startSimulator(
    ...['--boot', 'none', '--paused-clock', '--synthetic', '3', '--region', 'us-east-1'],
    ...['--boot-seconds', '0', '--shutdown-seconds', '5'],
  );
  ec2 = new SimulatedEc2(simulator);
  name = await template();
});
afterAll(async () => {
  ec2?.close();
  await simulator?.stop();
});
beforeEach(async () => {
  await ec2.control('/pools/give-back', {});
  await ec2.control('/pools/release', { option: 'ondemand' });
  await ec2.control('/pools/limit', { instances: null });
  await ec2.control('/quotas', { vcpus: null });
});

async function template(data: Partial<RequestLaunchTemplateData> = {}): Promise<string> {
  const LaunchTemplateName = `template-${++count}`;
  await ec2.client.send(
    new CreateLaunchTemplateCommand({
      LaunchTemplateName,
      LaunchTemplateData: { ImageId: simulator.ready.imageId, InstanceType: 'm5.large', ...data },
    }),
  );
  return LaunchTemplateName;
}

const zones = (InstanceType: FleetLaunchTemplateOverridesRequest['InstanceType'] = 'm5.large') =>
  ZONES.map((AvailabilityZone, Priority) => ({ InstanceType, AvailabilityZone, Priority }));

function fleet(
  overrides: FleetLaunchTemplateOverridesRequest[],
  changes: Partial<CreateFleetCommandInput> = {},
): Promise<CreateFleetResult> {
  return ec2.client.send(
    new CreateFleetCommand({
      Type: 'instant',
      LaunchTemplateConfigs: [
        {
          LaunchTemplateSpecification: { LaunchTemplateName: name, Version: '$Latest' },
          Overrides: overrides,
        },
      ],
      TargetCapacitySpecification: { TotalTargetCapacity: 1, DefaultTargetCapacityType: 'spot' },
      SpotOptions: { AllocationStrategy: 'capacity-optimized-prioritized' },
      ...changes,
    }),
  );
}
const onDemand = (TotalTargetCapacity = 1): Partial<CreateFleetCommandInput> => ({
  TargetCapacitySpecification: { TotalTargetCapacity, DefaultTargetCapacityType: 'on-demand' },
  SpotOptions: undefined,
});
const bought = ({ Instances = [] }: CreateFleetResult) =>
  Instances.flatMap(({ InstanceIds }) => InstanceIds ?? []);
const codes = ({ Errors = [] }: CreateFleetResult) =>
  Errors.map(({ ErrorCode, LaunchTemplateAndOverrides }) => [
    LaunchTemplateAndOverrides?.Overrides?.AvailabilityZone,
    ErrorCode,
  ]);

describe('an instant fleet', () => {
  test('buys in the pool of the highest priority, and marks what it bought', async () => {
    const answer = await fleet([...zones()].reverse(), {
      TagSpecifications: [
        { ResourceType: 'instance', Tags: [{ Key: 'a', Value: 'b' }] },
        { ResourceType: 'fleet', Tags: [{ Key: 'of', Value: 'the fleet' }] },
      ],
    });
    expect(answer.FleetId).toMatch(/^fleet-[0-9a-f-]{36}$/);
    expect(answer.Errors).toEqual([]);
    expect(answer.Instances).toEqual([
      {
        InstanceIds: [expect.stringMatching(/^i-/)],
        InstanceType: 'm5.large',
        AvailabilityZone: ZONES[0],
        Lifecycle: 'spot',
        LaunchTemplateAndOverrides: {
          LaunchTemplateSpecification: { LaunchTemplateId: expect.stringMatching(/^lt-/), Version: '1' },
          Overrides: { InstanceType: 'm5.large', AvailabilityZone: ZONES[0], Priority: 0 },
        },
      },
    ]);
    const instance = await ec2.one(bought(answer)[0] as string);
    expect(instance).toMatchObject({ InstanceLifecycle: 'spot', Placement: { AvailabilityZone: ZONES[0] } });
    const tags = Object.fromEntries((instance.Tags ?? []).map(({ Key, Value }) => [Key, Value]));
    expect(tags).toEqual({
      a: 'b',
      'aws:ec2:fleet-id': answer.FleetId,
      'aws:ec2launchtemplate:id': expect.any(String),
      'aws:ec2launchtemplate:version': '1',
    });
    expect(await ec2.statusOf(instance.SpotInstanceRequestId)).toBe('active fulfilled');
  });

  test('answers with what it bought and with what failed on the way', async () => {
    await ec2.setCapacity(false, ZONES[0]);
    const answer = await fleet(zones());
    expect(bought(answer)).toHaveLength(1);
    expect(answer.Instances?.[0]?.AvailabilityZone).toBe(ZONES[1]);
    expect(codes(answer)).toEqual([[ZONES[0], 'UnfulfillableCapacity']]);
    await ec2.control('/pools/take', { zone: ZONES[0], option: 'ondemand' });
    const dear = await fleet(zones(), {
      ...onDemand(),
      OnDemandOptions: { AllocationStrategy: 'prioritized' },
    });
    expect(codes(dear)).toEqual([[ZONES[0], 'InsufficientInstanceCapacity']]);
    expect(dear.Instances?.[0]).toMatchObject({ AvailabilityZone: ZONES[1], Lifecycle: 'on-demand' });
  });

  test('gives each failure its own code, and no error of its own', async () => {
    await ec2.control('/quotas', { vcpus: 3 });
    const answer = await fleet([
      { InstanceType: 'p3.2xlarge', AvailabilityZone: ZONES[0], Priority: 0 },
      { InstanceType: 'x9.huge' as 'm5.large', AvailabilityZone: ZONES[0], Priority: 1 },
      { InstanceType: 'm5.large', AvailabilityZone: ZONES[1], MaxPrice: '0.001', Priority: 2 },
      { InstanceType: 'm5.large', SubnetId: 'subnet-0123456789abcdef0', Priority: 3 },
      { InstanceType: 'm5.large', ImageId: 'ami-0123456789abcdef0', Priority: 4 },
    ]);
    expect(answer.Instances).toEqual([]);
    expect(answer.Errors?.map(({ ErrorCode }) => ErrorCode)).toEqual([
      'MaxSpotInstanceCountExceeded',
      'InvalidFleetConfiguration',
      'SpotMaxPriceTooLow',
      'InvalidSubnetID.NotFound',
      'InvalidAMIID.NotFound',
    ]);
    expect(answer.Errors?.[1]?.ErrorMessage).toBe(
      'Your requested instance type (x9.huge) is not supported in your requested Availability Zone (us-east-1a).',
    );
  });

  test('goes from pool to pool until it has all it was asked for, or no more is left', async () => {
    for (const zone of ZONES)
      await ec2.control('/pools/limit', {
        zone,
        instance_type: 'm5.large',
        instances: 2 + (await held(zone)),
      });
    const five = await fleet(zones(), {
      TargetCapacitySpecification: { TotalTargetCapacity: 5, DefaultTargetCapacityType: 'spot' },
    });
    expect(five.Instances?.map(({ InstanceIds }) => InstanceIds?.length)).toEqual([2, 2, 1]);
    const more = await fleet(zones(), {
      TargetCapacitySpecification: { TotalTargetCapacity: 5, DefaultTargetCapacityType: 'spot' },
    });
    expect(bought(more)).toHaveLength(1);
    expect(codes(more).map(([, code]) => code)).toEqual(Array(2).fill('UnfulfillableCapacity'));
  });
  const held = async (zone: string) =>
    (await ec2.control<{ zone: string; state: string; option: string }[]>('/instances')).filter(
      (one) => one.zone === zone && one.option === 'spot' && one.state !== 'terminated',
    ).length;

  test('buys nothing when it can’t have the least it was asked for in one zone', async () => {
    for (const zone of ZONES)
      await ec2.control('/pools/limit', {
        zone,
        instance_type: 'm5.large',
        instances: 2 + (await held(zone)),
      });
    const ask = (least: number) =>
      fleet(zones(), {
        TargetCapacitySpecification: { TotalTargetCapacity: 3, DefaultTargetCapacityType: 'spot' },
        SpotOptions: { MinTargetCapacity: least, SingleAvailabilityZone: true },
      });
    const nothing = await ask(3);
    expect(bought(nothing)).toEqual([]);
    expect(nothing.Errors?.map(({ ErrorCode }) => ErrorCode)).toContain('UnfulfillableCapacity');
    const two = await ask(2);
    expect(bought(two)).toHaveLength(2);
    expect(
      new Set((await ec2.describe(...bought(two))).map((one) => one.Placement?.AvailabilityZone)).size,
    ).toBe(1);
  });

  test('goes by price, and takes spot and on-demand together', async () => {
    const { Subnets = [] } = await ec2.client.send(new DescribeSubnetsCommand({}));
    const answer = await fleet(
      [
        { InstanceType: 'p3.2xlarge', SubnetId: Subnets[0]?.SubnetId },
        { InstanceType: 'm5.large', SubnetId: Subnets[2]?.SubnetId },
      ],
      {
        TargetCapacitySpecification: {
          ...{ TotalTargetCapacity: 3, OnDemandTargetCapacity: 1, DefaultTargetCapacityType: 'spot' },
        },
        SpotOptions: { AllocationStrategy: 'price-capacity-optimized' },
      },
    );
    const found = await ec2.describe(...bought(answer));
    expect(found.map((one) => one.InstanceType)).toEqual(Array(3).fill('m5.large'));
    expect(found.filter((one) => one.InstanceLifecycle === 'spot')).toHaveLength(2);
    expect(new Set(found.map((one) => one.SubnetId))).toEqual(new Set([Subnets[2]?.SubnetId]));
  });

  test('is one for its token, also when it bought nothing', async () => {
    const token = { ClientToken: 'fleet-token' };
    const first = await fleet(zones(), token);
    const again = await fleet(zones(), token);
    expect([again.FleetId, bought(again)]).toEqual([first.FleetId, bought(first)]);
    expect((await refusal(fleet(zones(), { ...token, ...onDemand() }))).name).toBe(
      'IdempotentParameterMismatch',
    );
    await ec2.control('/pools/take', {});
    const failed = await fleet(zones(), { ClientToken: 'failed' });
    await ec2.control('/pools/give-back', {});
    const repeated = await fleet(zones(), { ClientToken: 'failed' });
    expect(repeated.FleetId).toBe(failed.FleetId);
    expect(repeated.Instances).toEqual([]);
    await simulator.restart();
    expect((await fleet(zones(), token)).FleetId).toBe(first.FleetId);
  });

  test.each<[string, Partial<CreateFleetCommandInput>]>([
    ['UnsupportedOperation', { Type: 'maintain' }],
    ['UnsupportedOperation', { Type: undefined }],
    ['MissingParameter', { LaunchTemplateConfigs: [] }],
    [
      'InvalidLaunchTemplateName.NotFoundException',
      {
        LaunchTemplateConfigs: [
          { LaunchTemplateSpecification: { LaunchTemplateName: 'nobody', Version: '1' } },
        ],
      },
    ],
    ['InvalidParameterCombination', { SpotOptions: { MinTargetCapacity: 1 } }],
    ['InvalidParameterCombination', { SpotOptions: { InstanceInterruptionBehavior: 'stop' } }],
    [
      'InvalidParameterValue',
      { TargetCapacitySpecification: { TotalTargetCapacity: 1, SpotTargetCapacity: 2 } },
    ],
    ['DryRunOperation', { DryRun: true }],
  ])('refuses with %s what is none, case %#', async (code, changes) => {
    expect((await refusal(fleet(zones(), changes))).name).toBe(code);
  });
});

describe('a launch template', () => {
  const describe1 = (...LaunchTemplateNames: string[]) =>
    ec2.client.send(new DescribeLaunchTemplatesCommand({ LaunchTemplateNames }));

  test('has a name of its own, versions and tags, and goes when it is deleted', async () => {
    const made = await template({ KeyName: 'first' });
    const again = refusal(
      ec2.client.send(
        new CreateLaunchTemplateCommand({ LaunchTemplateName: made, LaunchTemplateData: { KeyName: 'x' } }),
      ),
    );
    expect((await again).name).toBe('InvalidLaunchTemplateName.AlreadyExistsException');
    await ec2.client.send(
      new CreateLaunchTemplateVersionCommand({
        LaunchTemplateName: made,
        SourceVersion: '1',
        LaunchTemplateData: { KeyName: 'second' },
      }),
    );
    const { LaunchTemplates: [shown] = [] } = await describe1(made);
    expect(shown).toMatchObject({
      LaunchTemplateName: made,
      DefaultVersionNumber: 1,
      LatestVersionNumber: 2,
    });
    const id = shown?.LaunchTemplateId as string;
    const keyOf = async (Version?: string) =>
      (
        await ec2.launch({
          ...{ ImageId: undefined, InstanceType: undefined },
          LaunchTemplate: { LaunchTemplateId: id, ...(Version && { Version }) },
        })
      ).KeyName;
    expect(await Promise.all([keyOf(), keyOf('$Latest'), keyOf('2'), keyOf('$Default')])).toEqual([
      'first',
      'second',
      'second',
      'first',
    ]);
    expect((await refusal(keyOf('3'))).name).toBe('InvalidLaunchTemplateId.VersionNotFound');
    await ec2.client.send(new CreateTagsCommand({ Resources: [id], Tags: [{ Key: 'k', Value: 'v' }] }));
    const byTag = new DescribeLaunchTemplatesCommand({ Filters: [{ Name: 'tag:k', Values: ['v'] }] });
    expect((await ec2.client.send(byTag)).LaunchTemplates).toHaveLength(1);
    await ec2.client.send(new DeleteLaunchTemplateCommand({ LaunchTemplateId: id }));
    expect(await refusal(describe1(made))).toMatchObject({
      name: 'InvalidLaunchTemplateName.NotFoundException',
      status: 400,
    });
    const gone = ec2.client.send(new DeleteLaunchTemplateCommand({ LaunchTemplateId: id }));
    expect((await refusal(gone)).name).toBe('InvalidLaunchTemplateId.NotFound');
  });

  test('is one for its token', async () => {
    const create = (data: RequestLaunchTemplateData) =>
      ec2.client.send(
        new CreateLaunchTemplateCommand({
          ...{ LaunchTemplateName: 'of a token', ClientToken: 'template-token' },
          LaunchTemplateName: 'of-a-token',
          LaunchTemplateData: data,
        }),
      );
    const first = await create({ KeyName: 'k' });
    const again = await create({ KeyName: 'k' });
    expect(again.LaunchTemplate?.LaunchTemplateId).toBe(first.LaunchTemplate?.LaunchTemplateId);
    expect((await refusal(create({ KeyName: 'other' }))).name).toBe('IdempotentParameterMismatch');
  });

  test.each([
    ['InvalidLaunchTemplateName.MalformedException', 'a b', { KeyName: 'k' }],
    ['MissingParameter', 'empty', {}],
    ['InvalidParameterValue', 'no-base64', { UserData: '!' }],
  ])('is refused with %s', async (code, LaunchTemplateName, LaunchTemplateData) => {
    const create = ec2.client.send(
      new CreateLaunchTemplateCommand({ LaunchTemplateName, LaunchTemplateData }),
    );
    expect((await refusal(create)).name).toBe(code);
  });
});
