/** RunInstances of the simulated EC2, as far as it is about instances: what it takes, and what it has no room for. */
import {
  CreateLaunchTemplateCommand,
  DescribeSubnetsCommand,
  DescribeVolumesCommand,
} from '@aws-sdk/client-ec2';
import type { RunInstancesCommandInput } from '@aws-sdk/client-ec2';
import { type Simulator, startSimulator } from '../harness/simulator';
import { ENCRYPTED_ROOT, ON_DEMAND, persistent, SimulatedEc2, ZONES } from './simulator-client';
import { refusal } from './simulator-requests';

let simulator: Simulator;
let ec2: SimulatedEc2;

beforeAll(async () => {
  simulator = await startSimulator(
    ...['--boot', 'none', '--paused-clock', '--synthetic', '3', '--region', 'us-east-1'],
    ...['--boot-seconds', '0', '--shutdown-seconds', '5'],
  );
  ec2 = new SimulatedEc2(simulator);
  await ec2.control('/pools/give-back', {});
});
afterAll(async () => {
  ec2?.close();
  await simulator?.stop();
});

describe('a launch', () => {
  test('shows what it was asked for', async () => {
    const { InstanceId } = await ec2.launch({
      ...ON_DEMAND,
      ...ENCRYPTED_ROOT,
      KeyName: 'key',
      HibernationOptions: { Configured: true },
      IamInstanceProfile: { Arn: 'arn:aws:iam::000000000000:instance-profile/path/agent' },
      MetadataOptions: { InstanceMetadataTags: 'enabled' },
    });
    expect(await ec2.one(InstanceId)).toMatchObject({
      KeyName: 'key',
      HibernationOptions: { Configured: true },
      IamInstanceProfile: { Arn: 'arn:aws:iam::000000000000:instance-profile/agent' },
      MetadataOptions: { InstanceMetadataTags: 'enabled', HttpTokens: 'required' },
      SecurityGroups: [{ GroupName: 'default', GroupId: expect.stringMatching(/^sg-/) }],
      Placement: { AvailabilityZone: ZONES[1], AvailabilityZoneId: 'use1-az2' },
    });
    const { metadata_url } = await ec2.control<{ metadata_url: string }>(`/instances/${InstanceId}`);
    expect(metadata_url).toMatch(/^http/);
  });

  test('into a subnet is one into its zone, and shows both', async () => {
    const { Subnets = [] } = await ec2.client.send(new DescribeSubnetsCommand({}));
    expect(Subnets.map((subnet) => subnet.AvailabilityZone)).toEqual([...ZONES]);
    expect(new Set(Subnets.map((subnet) => subnet.VpcId)).size).toBe(1);
    const [, , third] = Subnets;
    const instance = await ec2.launch({ Placement: undefined, SubnetId: third?.SubnetId });
    expect(instance).toMatchObject({
      SubnetId: third?.SubnetId,
      VpcId: third?.VpcId,
      Placement: { AvailabilityZone: ZONES[2] },
    });
    const nic = { DeviceIndex: 0, SubnetId: third?.SubnetId };
    const { Placement } = await ec2.launch({ Placement: undefined, NetworkInterfaces: [nic] });
    expect(Placement?.AvailabilityZone).toBe(ZONES[2]);
    expect((await refusal(ec2.launch({ SubnetId: third?.SubnetId }))).name).toBe('InvalidParameterValue');
  });

  test('tags its instances, its volumes and its spot requests, each with their own', async () => {
    const tagged = (ResourceType: 'instance' | 'volume' | 'spot-instances-request') => ({
      ResourceType,
      Tags: [{ Key: 'of', Value: ResourceType }],
    });
    const instance = await ec2.launch({
      TagSpecifications: [tagged('instance'), tagged('volume'), tagged('spot-instances-request')],
      BlockDeviceMappings: [
        { DeviceName: '/dev/xvda', Ebs: { VolumeSize: 20, DeleteOnTermination: false } },
        { DeviceName: '/dev/sdf', Ebs: { VolumeSize: 100 } },
      ],
    });
    expect(instance.Tags).toEqual([{ Key: 'of', Value: 'instance' }]);
    const { Tags, LaunchSpecification } = await ec2.request(instance.SpotInstanceRequestId);
    expect(Tags).toEqual([{ Key: 'of', Value: 'spot-instances-request' }]);
    expect(LaunchSpecification?.BlockDeviceMappings?.map(({ Ebs }) => Ebs?.VolumeSize)).toEqual([20, 100]);
    const VolumeIds = (instance.BlockDeviceMappings ?? []).map(({ Ebs }) => Ebs?.VolumeId as string);
    const { Volumes = [] } = await ec2.client.send(new DescribeVolumesCommand({ VolumeIds }));
    expect(Volumes.map((volume) => volume.Tags)).toEqual(Array(2).fill([{ Key: 'of', Value: 'volume' }]));
  });

  test('of several is one reservation, whose instances are numbered', async () => {
    const instances = await ec2.run({ MinCount: 2, MaxCount: 3 });
    expect(instances.map(({ AmiLaunchIndex }) => AmiLaunchIndex)).toEqual([0, 1, 2]);
    expect(new Set(instances.map(({ SpotInstanceRequestId }) => SpotInstanceRequestId)).size).toBe(3);
  });

  test('takes what it isn’t told from a launch template', async () => {
    await ec2.client.send(
      new CreateLaunchTemplateCommand({
        LaunchTemplateName: 'for-launches',
        LaunchTemplateData: {
          ImageId: simulator.ready.imageId,
          InstanceType: 'g5.xlarge',
          KeyName: 'of the template',
          Placement: { AvailabilityZone: ZONES[0] },
          TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'a', Value: 'template' }] }],
        },
      }),
    );
    const instance = await ec2.launch({
      ...{ ImageId: undefined, Placement: undefined, InstanceType: 'm5.large' },
      LaunchTemplate: { LaunchTemplateName: 'for-launches' },
      TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'b', Value: 'request' }] }],
    });
    expect(instance).toMatchObject({
      InstanceType: 'm5.large',
      KeyName: 'of the template',
      Placement: { AvailabilityZone: ZONES[0] },
    });
    const tags = Object.fromEntries((instance.Tags ?? []).map(({ Key, Value }) => [Key, Value]));
    expect(tags).toMatchObject({ a: 'template', b: 'request', 'aws:ec2launchtemplate:version': '1' });
  });
});

describe('a client token', () => {
  test('stands for another launch in each zone, named by itself or by its subnet, and one in the region', async () => {
    const { Subnets = [] } = await ec2.client.send(new DescribeSubnetsCommand({}));
    const token = { ClientToken: 'zonal' };
    const byZone = await ec2.launch(token);
    const bySubnet = { ...token, Placement: undefined, SubnetId: Subnets[1]?.SubnetId };
    expect((await refusal(ec2.launch(bySubnet))).name).toBe('IdempotentParameterMismatch');
    const elsewhere = await ec2.launch({ ...bySubnet, SubnetId: Subnets[2]?.SubnetId });
    const regional = await ec2.launch({ ...token, Placement: undefined });
    expect(new Set([byZone.InstanceId, elsewhere.InstanceId, regional.InstanceId]).size).toBe(3);
    expect((await ec2.launch({ ...token, Placement: undefined })).InstanceId).toBe(regional.InstanceId);
  });

  test('is the same whatever its case isn’t', async () => {
    const one = await ec2.launch({ ClientToken: 'Case' });
    expect((await ec2.launch({ ClientToken: 'case' })).InstanceId).not.toBe(one.InstanceId);
  });

  test('of instances that were terminated is spent for a day, and free after that', async () => {
    const { InstanceId } = await ec2.launch({ ClientToken: 'day' });
    await ec2.terminate(InstanceId);
    await ec2.advance(3605 + 86_000);
    expect(await refusal(ec2.launch({ ClientToken: 'day' }))).toMatchObject({
      name: 'IdempotentInstanceTerminated',
      message: expect.stringContaining(InstanceId),
      status: 400,
    });
    await ec2.advance(500);
    expect((await ec2.launch({ ClientToken: 'day' })).InstanceId).not.toBe(InstanceId);
  });

  test('gives a launch whose instance is being ended as it is now', async () => {
    const { InstanceId } = await ec2.launch({ ClientToken: 'ending' });
    await ec2.terminate(InstanceId);
    const again = await ec2.launch({ ClientToken: 'ending' });
    expect(again).toMatchObject({ InstanceId, State: { Name: 'shutting-down' } });
  });
});

describe('what doesn’t go together is refused', () => {
  const spot = (
    SpotOptions: NonNullable<RunInstancesCommandInput['InstanceMarketOptions']>['SpotOptions'],
  ) => ({
    InstanceMarketOptions: { MarketType: 'spot' as const, SpotOptions },
  });
  test.each<[string, Partial<RunInstancesCommandInput>]>([
    ['InvalidParameterCombination', spot({ InstanceInterruptionBehavior: 'stop' })],
    ['InvalidParameterCombination', spot({ SpotInstanceType: 'persistent' })],
    ['InvalidParameterCombination', spot({ ValidUntil: new Date(Date.now() + 3_600_000) })],
    ['InvalidParameterValue', persistent({ validUntil: new Date('2020-01-01') })],
    ['InvalidParameterValue', spot({ MaxPrice: '0.0001' })],
    ['InvalidParameterValue', spot({ MaxPrice: 'dear' })],
    ['InvalidParameterCombination', { ...persistent(), HibernationOptions: { Configured: true } }],
    ['UnsupportedHibernationConfiguration', { ...ON_DEMAND, HibernationOptions: { Configured: true } }],
    [
      'UnsupportedHibernationConfiguration',
      {
        ...ON_DEMAND,
        ...ENCRYPTED_ROOT,
        InstanceType: 'g5.xlarge',
        HibernationOptions: { Configured: true },
      },
    ],
    ['UnsupportedHibernationConfiguration', persistent({ behavior: 'hibernate' })],
    ['UnsupportedOperation', { DisableApiTermination: true }],
    ['InvalidParameterValue', { IamInstanceProfile: { Name: 'no/slash' } }],
    ['InvalidParameterValue', { IamInstanceProfile: { Arn: 'arn:aws:iam::1:role/x' } }],
    ['InvalidParameterCombination', { IamInstanceProfile: { Name: 'a', Arn: 'b' } }],
    ['InvalidSubnetID.NotFound', { Placement: undefined, SubnetId: 'subnet-0123456789abcdef0' }],
    ['InvalidLaunchTemplateName.NotFoundException', { LaunchTemplate: { LaunchTemplateName: 'nobody' } }],
    ['InvalidParameterValue', { MinCount: 3, MaxCount: 2 }],
    ['InvalidParameterValue', { MaxCount: 1001 }],
  ])('with %s, case %#', async (name, changes) => {
    const { message, ...said } = await refusal(ec2.launch(changes));
    expect(said).toEqual({ name, status: 400 });
    expect(message).not.toBe('');
  });
});

describe('what there is too little of', () => {
  const lift = async () => {
    for (const option of ['spot', 'ondemand']) {
      await ec2.control('/quotas', { option, vcpus: null, instances: null });
      await ec2.control('/pools/limit', { option, instances: null });
    }
    for (const zone of ZONES) await ec2.control('/subnets/limit', { zone, addresses: null });
    await ec2.control('/pools/give-back', {});
    await ec2.control('/pools/release', { option: 'ondemand' });
  };
  const active = async () =>
    (
      await ec2.control<{ state: string; option: string; zone: string; instance_id: string }[]>('/instances')
    ).filter(({ state }) => state === 'pending' || state === 'running');
  beforeEach(async () => {
    const ids = (await active()).map(({ instance_id }) => instance_id);
    if (ids.length > 0) await ec2.terminate(...ids);
    await ec2.advance(5);
  });
  afterEach(lift);

  test.each([
    [
      'capacity for spot',
      {},
      '/pools/take',
      { zone: ZONES[1] },
      'InsufficientInstanceCapacity',
      500,
      /Spot capacity/,
    ],
    [
      'capacity on-demand',
      ON_DEMAND,
      '/pools/take',
      { zone: ZONES[1], option: 'ondemand' },
      'InsufficientInstanceCapacity',
      500,
      /m5\.large capacity in the Availability Zone you requested \(us-east-1b\).*choosing us-east-1a, us-east-1c/,
    ],
    ['spot vCPUs', {}, '/quotas', { vcpus: 1 }, 'MaxSpotInstanceCountExceeded', 400, /^Max spot/],
    ['spot instances', {}, '/quotas', { instances: 0 }, 'MaxSpotInstanceCountExceeded', 400, /^Max spot/],
    [
      'on-demand vCPUs',
      ON_DEMAND,
      '/quotas',
      { option: 'ondemand', vcpus: 1 },
      'VcpuLimitExceeded',
      400,
      /vCPU limit of 1 allows/,
    ],
    [
      'on-demand instances',
      ON_DEMAND,
      '/quotas',
      { option: 'ondemand', instances: 0 },
      'InstanceLimitExceeded',
      400,
      /more instances \(1\) than your current instance limit of 0/,
    ],
    [
      'addresses',
      {},
      '/subnets/limit',
      { zone: ZONES[1], addresses: 0 },
      'InsufficientFreeAddressesInSubnet',
      400,
      /free addresses in subnet 'subnet-[0-9a-f]{17}'/,
    ],
    [
      'room in the pool',
      {},
      '/pools/limit',
      { instances: 0 },
      'InsufficientInstanceCapacity',
      500,
      /Spot capacity/,
    ],
  ])(
    '%s refuses, in EC2’s words, and books nothing',
    async (_, changes, path, limit, name, status, words) => {
      await ec2.control(path, limit);
      const launch = ec2.launch({
        ...changes,
        ClientToken: `short of ${path} ${JSON.stringify(limit)}`.slice(0, 60),
      });
      expect(await refusal(launch)).toEqual({ name, status, message: expect.stringMatching(words) });
      expect(await active()).toEqual([]);
      await lift();
      // The token wasn't used up.
      await ec2.launch({ ...changes, ClientToken: `short of ${path} ${JSON.stringify(limit)}`.slice(0, 60) });
    },
  );

  test('of a type that a zone doesn’t have, others are named', async () => {
    const { name, message } = await refusal(ec2.launch({ InstanceType: 'm1.small' }));
    expect([name, message]).toEqual(['InvalidParameterValue', "Invalid value 'm1.small' for InstanceType."]);
  });

  test('price is told with the one in force', async () => {
    const SpotOptions = { MaxPrice: '0.001' };
    const said = await refusal(ec2.launch({ InstanceMarketOptions: { MarketType: 'spot', SpotOptions } }));
    expect(said).toMatchObject({
      name: 'SpotMaxPriceTooLow',
      status: 400,
      message: expect.stringMatching(
        /^Your Spot request price of 0\.001 is lower than .* price of 0\.\d+\.$/,
      ),
    });
  });

  test('gives as many as there is room for, from MinCount to MaxCount', async () => {
    await ec2.control('/quotas', { vcpus: 7 });
    expect(await ec2.run({ MinCount: 1, MaxCount: 10 })).toHaveLength(3);
    expect((await refusal(ec2.run({ MinCount: 1, MaxCount: 10 }))).name).toBe('MaxSpotInstanceCountExceeded');
    expect(await active()).toHaveLength(3);
    await ec2.control('/quotas', { vcpus: 20 });
    expect((await refusal(ec2.run({ MinCount: 8, MaxCount: 9 }))).name).toBe('MaxSpotInstanceCountExceeded');
    expect(await active()).toHaveLength(3);
  });

  test('counts what runs only, and of addresses what isn’t terminated', async () => {
    await ec2.control('/pools/limit', { zone: ZONES[1], instance_type: 'm5.large', instances: 1 });
    const { InstanceId } = await ec2.launch();
    expect((await refusal(ec2.launch())).name).toBe('InsufficientInstanceCapacity');
    await ec2.terminate(InstanceId);
    await ec2.launch();
    await ec2.control('/pools/limit', { instances: null });
    await ec2.control('/subnets/limit', { zone: ZONES[1], addresses: 2 });
    const { Subnets } = await ec2.client.send(new DescribeSubnetsCommand({}));
    expect(Subnets?.map(({ AvailableIpAddressCount }) => AvailableIpAddressCount)).toEqual([4091, 0, 4091]);
    expect((await refusal(ec2.launch())).name).toBe('InsufficientFreeAddressesInSubnet');
    await ec2.advance(5);
    await ec2.launch();
  });

  test('in one zone is found in another, when none is named', async () => {
    await ec2.setCapacity(false, ZONES[0]);
    await ec2.control('/subnets/limit', { zone: ZONES[1], addresses: 0 });
    const { Placement } = await ec2.launch({ Placement: undefined });
    expect(Placement?.AvailabilityZone).toBe(ZONES[2]);
  });
});
