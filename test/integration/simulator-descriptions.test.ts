/** What the simulated EC2 describes: late, in no order, page by page; types, status and filters. */
import {
  CreateTagsCommand,
  DescribeInstancesCommand,
  DescribeInstanceStatusCommand,
  DescribeInstanceTypesCommand,
  paginateDescribeInstances,
  paginateDescribeInstanceTypes,
} from '@aws-sdk/client-ec2';
import type { DescribeInstanceTypesCommandInput } from '@aws-sdk/client-ec2';
import { type Simulator, startSimulator } from '../harness/simulator';
import { ON_DEMAND, SimulatedEc2, ZONES } from './simulator-client';
import { refusal } from './simulator-requests';

let simulator: Simulator;
let ec2: SimulatedEc2;

beforeAll(async () => {
  simulator = await startSimulator(
    ...['--boot', 'none', '--paused-clock', '--synthetic', '3', '--region', 'us-east-1'],
    ...['--boot-seconds', '0', '--shutdown-seconds', '5', '--consistency-seconds', '2'],
  );
  ec2 = new SimulatedEc2(simulator);
  await ec2.control('/pools/give-back', {});
});
afterAll(async () => {
  ec2?.close();
  await simulator?.stop();
});

const find = async (filters: Record<string, string[]>): Promise<string[]> => {
  const Filters = Object.entries(filters).map(([Name, Values]) => ({ Name, Values }));
  const { Reservations = [] } = await ec2.client.send(new DescribeInstancesCommand({ Filters }));
  return Reservations.flatMap(({ Instances }) => Instances ?? []).map(
    ({ InstanceId }) => InstanceId as string,
  );
};
const tagged = (set: string) => ({
  TagSpecifications: [{ ResourceType: 'instance' as const, Tags: [{ Key: 'set', Value: set }] }],
});

describe('a launch', () => {
  test('isn’t there for a moment: not by its id, not in lists, not for other calls; but for its token', async () => {
    const launch = { ...tagged('late'), ClientToken: 'late' };
    const { InstanceId } = await ec2.launch(launch);
    const notYet = [
      ec2.one(InstanceId),
      ec2.terminate(InstanceId),
      ec2.stop(InstanceId),
      ec2.client.send(new CreateTagsCommand({ Resources: [InstanceId], Tags: [{ Key: 'a', Value: 'b' }] })),
      ec2.client.send(new DescribeInstanceStatusCommand({ InstanceIds: [InstanceId] })),
    ];
    for (const call of notYet) {
      expect(await refusal(call)).toEqual({
        name: 'InvalidInstanceID.NotFound',
        message: `The instance ID '${InstanceId}' does not exist`,
        status: 400,
      });
    }
    expect(await find({ 'tag:set': ['late'] })).toEqual([]);
    expect((await ec2.launch(launch)).InstanceId).toBe(InstanceId);
    await ec2.advance(1.9);
    expect((await refusal(ec2.one(InstanceId))).name).toBe('InvalidInstanceID.NotFound');
    await ec2.advance(0.1);
    expect(await ec2.stateOf(InstanceId)).toBe('running');
    expect(await find({ 'tag:set': ['late'] })).toEqual([InstanceId]);
  });

  test('of two hides neither behind the other', async () => {
    const first = await ec2.launch();
    await ec2.advance(2);
    const second = await ec2.launch();
    const both = ec2.describe(first.InstanceId, second.InstanceId);
    expect((await refusal(both)).message).toBe(`The instance ID '${second.InstanceId}' does not exist`);
    expect(await ec2.stateOf(first.InstanceId)).toBe('running');
  });
});

test('a change is seen a moment late, in the order of changes', async () => {
  const { InstanceId } = await ec2.launch(ON_DEMAND);
  await ec2.advance(2);
  expect((await ec2.stop(InstanceId)).StoppingInstances?.[0]?.CurrentState?.Name).toBe('stopping');
  const seen: (string | undefined)[] = [];
  for (let step = 0; step < 5; step++) {
    seen.push(await ec2.stateOf(InstanceId));
    await ec2.advance(1.9);
  }
  expect(seen).toEqual(['running', 'running', 'stopping', 'stopping', 'stopped']);
  expect(await find({ 'instance-id': [InstanceId], 'instance-state-name': ['running'] })).toEqual([]);
});

describe('a list', () => {
  test('is in another order each time, and whole over its pages', async () => {
    const made = await ec2.run({ ...tagged('paged'), MinCount: 60, MaxCount: 60 });
    await ec2.advance(2);
    const ids = made.map(({ InstanceId }) => InstanceId as string).sort();
    const read = async () => {
      const found: string[] = [];
      const Filters = [{ Name: 'tag:set', Values: ['paged'] }];
      for await (const page of paginateDescribeInstances({ client: ec2.client, pageSize: 7 }, { Filters })) {
        const some = (page.Reservations ?? []).flatMap(({ Instances }) => Instances ?? []);
        expect(some.length).toBeLessThanOrEqual(7);
        found.push(...some.map(({ InstanceId }) => InstanceId as string));
      }
      return found;
    };
    const [one, other] = [await read(), await read()];
    expect([...one].sort()).toEqual(ids);
    expect([...other].sort()).toEqual(ids);
    expect(one).not.toEqual(other);
    const whole = await find({ 'tag:set': ['paged'] });
    expect(await find({ 'tag:set': ['paged'] })).not.toEqual(whole);
  });

  test('misses nothing and shows nothing twice when instances come and go between its pages', async () => {
    const made = await ec2.run({ ...tagged('moving'), MinCount: 30, MaxCount: 30 });
    const ids = made.map(({ InstanceId }) => InstanceId as string);
    await ec2.advance(2);
    await ec2.terminate(...ids.slice(0, 10));
    await ec2.advance(5);
    const input = { Filters: [{ Name: 'tag:set', Values: ['moving'] }], MaxResults: 10 };
    const found: string[] = [];
    let NextToken: string | undefined;
    do {
      const page = await ec2.client.send(new DescribeInstancesCommand({ ...input, NextToken }));
      for (const { Instances = [] } of page.Reservations ?? [])
        found.push(...Instances.map(({ InstanceId }) => InstanceId as string));
      NextToken = page.NextToken;
      // Ten are forgotten meanwhile, and ten more come.
      if (found.length <= 10) {
        await ec2.advance(3600);
        await ec2.run({ ...tagged('moving'), MinCount: 10, MaxCount: 10 });
        await ec2.advance(2);
      }
    } while (NextToken);
    expect(new Set(found).size).toBe(found.length);
    for (const id of ids.slice(10)) expect(found).toContain(id);
    const odd = new DescribeInstancesCommand({ ...input, NextToken: 'bm9uc2Vuc2U' });
    expect((await refusal(ec2.client.send(odd))).name).toBe('InvalidParameterValue');
  });

  test('is filtered by what instances are', async () => {
    const instance = await ec2.launch({
      ...{ ...tagged('filtered'), ...ON_DEMAND, KeyName: 'k', IamInstanceProfile: { Name: 'agent' } },
      Placement: { AvailabilityZone: ZONES[2] },
    });
    await ec2.launch(tagged('filtered'));
    await ec2.advance(2);
    const only = (filter: string, value: string) => find({ 'tag:set': ['filtered'], [filter]: [value] });
    for (const [filter, value] of [
      ['availability-zone', ZONES[2]],
      ['subnet-id', instance.SubnetId],
      ['key-name', 'k'],
      ['iam-instance-profile.arn', '*/agent'],
      ['private-ip-address', instance.PrivateIpAddress],
      ['block-device-mapping.volume-id', instance.BlockDeviceMappings?.[0]?.Ebs?.VolumeId],
      ['client-token', instance.ClientToken],
    ] as const)
      expect([filter, await only(filter, value as string)]).toEqual([filter, [instance.InstanceId]]);
    expect(await only('instance-lifecycle', 'spot')).toHaveLength(1);
    expect(await only('vpc-id', instance.VpcId as string)).toHaveLength(2);
    expect((await refusal(only('colour', 'red'))).name).toBe('InvalidParameterValue');
  });
});

describe('the status of instances', () => {
  test('is of those that run, unless all are asked for', async () => {
    const [up, off] = [await ec2.launch(ON_DEMAND), await ec2.launch(ON_DEMAND)];
    await ec2.advance(2);
    await ec2.stop(off.InstanceId);
    await ec2.advance(10);
    const InstanceIds = [up.InstanceId, off.InstanceId];
    const ask = async (IncludeAllInstances?: boolean) =>
      (await ec2.client.send(new DescribeInstanceStatusCommand({ InstanceIds, IncludeAllInstances })))
        .InstanceStatuses;
    expect(await ask()).toEqual([
      expect.objectContaining({
        InstanceId: up.InstanceId,
        InstanceState: { Code: 16, Name: 'running' },
        InstanceStatus: expect.objectContaining({ Status: 'ok' }),
      }),
    ]);
    expect((await ask(true))?.map((one) => one.InstanceStatus?.Status).sort()).toEqual([
      'not-applicable',
      'ok',
    ]);
  });
});

describe('instance types', () => {
  const types = (input: DescribeInstanceTypesCommandInput) =>
    ec2.client.send(new DescribeInstanceTypesCommand(input));

  test('are the market’s, with what EC2 says of them', async () => {
    const { InstanceTypes } = await types({ InstanceTypes: ['g5.xlarge'] });
    expect(InstanceTypes).toEqual([
      expect.objectContaining({
        InstanceType: 'g5.xlarge',
        VCpuInfo: expect.objectContaining({ DefaultVCpus: 4 }),
        MemoryInfo: { SizeInMiB: 16_384 },
        GpuInfo: expect.objectContaining({
          Gpus: [expect.objectContaining({ Count: 1, Manufacturer: 'NVIDIA' })],
        }),
        HibernationSupported: false,
        SupportedUsageClasses: ['on-demand', 'spot'],
        CurrentGeneration: true,
        InstanceStorageSupported: true,
      }),
    ]);
    const all: (string | undefined)[] = [];
    for await (const page of paginateDescribeInstanceTypes({ client: ec2.client, pageSize: 5 }, {}))
      all.push(...(page.InstanceTypes ?? []).map((type) => type.InstanceType));
    expect(all.sort()).toEqual([...simulator.ready.instanceTypes].sort());
    const hibernating = await types({ Filters: [{ Name: 'hibernation-supported', Values: ['true'] }] });
    expect(hibernating.InstanceTypes?.map((type) => type.InstanceType)).toEqual(['m5.large']);
  });

  test('that aren’t there are named', async () => {
    const said = await refusal(types({ InstanceTypes: ['g5.xlarge', 'x9.huge' as 'g5.xlarge'] }));
    expect(said).toEqual({
      name: 'InvalidInstanceType',
      message: 'The following supplied instance types do not exist: [x9.huge]',
      status: 400,
    });
  });
});
