/** Stopping, starting, rebooting and ending instances of the simulated EC2, and what keeps them from it. */
import {
  DescribeInstanceAttributeCommand,
  ModifyInstanceAttributeCommand,
  RebootInstancesCommand,
} from '@aws-sdk/client-ec2';
import type {
  DescribeInstanceAttributeCommandInput,
  Instance,
  ModifyInstanceAttributeCommandInput,
} from '@aws-sdk/client-ec2';
import { type Simulator, startSimulator } from '../harness/simulator';
import { ENCRYPTED_ROOT, ON_DEMAND, persistent, SimulatedEc2, ZONES } from './simulator-client';
import { refusal } from './simulator-requests';

const UNKNOWN = 'i-0123456789abcdef0';
let simulator: Simulator;
let ec2: SimulatedEc2;

beforeAll(async () => {
  simulator = await startSimulator(
    ...['--boot', 'none', '--paused-clock', '--synthetic', '3', '--region', 'us-east-1'],
    ...['--boot-seconds', '20', '--shutdown-seconds', '5'],
  );
  ec2 = new SimulatedEc2(simulator);
  await ec2.control('/pools/give-back', {});
});
afterAll(async () => {
  ec2?.close();
  await simulator?.stop();
});
afterEach(async () => {
  await ec2.control('/pools/give-back', {});
  await ec2.control('/pools/release', { option: 'ondemand' });
  await ec2.control('/subnets/limit', { zone: ZONES[1], addresses: null });
});

const running = async (changes: Parameters<SimulatedEc2['launch']>[0] = ON_DEMAND) => {
  const { InstanceId } = await ec2.launch(changes);
  await ec2.advance(20);
  return ec2.one(InstanceId) as ReturnType<SimulatedEc2['launch']>;
};
const stopped = async (changes?: Parameters<SimulatedEc2['launch']>[0]) => {
  const { InstanceId } = await running(changes);
  await ec2.stop(InstanceId);
  await ec2.advance(5);
  return InstanceId;
};
const volumes = ({ BlockDeviceMappings = [] }: Instance) =>
  BlockDeviceMappings.map(({ DeviceName, Ebs }) => [DeviceName, Ebs?.VolumeId]);
const modify = (InstanceId: string, change: Partial<ModifyInstanceAttributeCommandInput>) =>
  ec2.client.send(new ModifyInstanceAttributeCommand({ InstanceId, ...change }));
const attribute = (InstanceId: string, Attribute: DescribeInstanceAttributeCommandInput['Attribute']) =>
  ec2.client.send(new DescribeInstanceAttributeCommand({ InstanceId, Attribute }));

describe('an instance that is stopped', () => {
  test('is stopping, then stopped, and starts with its address and disks, at another public address', async () => {
    const before = await running();
    const id = before.InstanceId;
    expect((await ec2.stop(id)).StoppingInstances).toEqual([
      {
        InstanceId: id,
        CurrentState: { Code: 64, Name: 'stopping' },
        PreviousState: { Code: 16, Name: 'running' },
      },
    ]);
    await ec2.advance(5);
    const off = await ec2.one(id);
    expect(off).toMatchObject({
      State: { Code: 80, Name: 'stopped' },
      StateReason: { Code: 'Client.UserInitiatedShutdown' },
      StateTransitionReason: expect.stringMatching(/^User initiated \(/),
      PrivateIpAddress: before.PrivateIpAddress,
    });
    expect(volumes(off)).toEqual(volumes(before));
    expect(off.PublicIpAddress).toBeUndefined();
    expect(off.PublicDnsName).toBe('');
    await ec2.advance(600);
    expect((await ec2.start(id)).StartingInstances?.[0]).toMatchObject({
      CurrentState: { Name: 'pending' },
      PreviousState: { Name: 'stopped' },
    });
    await ec2.advance(19);
    expect(await ec2.stateOf(id)).toBe('pending');
    await ec2.advance(1);
    const after = await ec2.one(id);
    expect(after).toMatchObject({
      State: { Name: 'running' },
      PrivateIpAddress: before.PrivateIpAddress,
      StateTransitionReason: '',
    });
    expect(volumes(after)).toEqual(volumes(before));
    expect(after.StateReason).toBeUndefined();
    expect(after.PublicIpAddress).not.toBe(before.PublicIpAddress);
    // Ten minutes and more after the first launch.
    expect(Date.now() - (after.LaunchTime?.getTime() ?? 0)).toBeLessThan(60_000);
  });

  test('needs room to start; without it stays as it was', async () => {
    const id = await stopped();
    await ec2.setCapacity(false, ZONES[1], 'ondemand');
    expect(await refusal(ec2.start(id))).toMatchObject({ name: 'InsufficientInstanceCapacity', status: 500 });
    expect(await ec2.stateOf(id)).toBe('stopped');
    await ec2.control('/pools/release', { option: 'ondemand' });
    // It has its address already.
    await ec2.control('/subnets/limit', { zone: ZONES[1], addresses: 0 });
    await ec2.start(id);
  });

  test('can be stopped and started again without a refusal, and from nowhere else', async () => {
    const { InstanceId } = await running();
    expect((await ec2.start(InstanceId)).StartingInstances?.[0]?.CurrentState?.Name).toBe('running');
    await ec2.stop(InstanceId);
    expect((await ec2.stop(InstanceId)).StoppingInstances?.[0]?.CurrentState?.Name).toBe('stopping');
    expect(await refusal(ec2.start(InstanceId))).toEqual({
      name: 'IncorrectInstanceState',
      message: `The instance '${InstanceId}' is not in a state from which it can be started.`,
      status: 400,
    });
    await ec2.advance(5);
    await ec2.terminate(InstanceId);
    expect((await refusal(ec2.start(InstanceId))).name).toBe('IncorrectInstanceState');
    expect((await refusal(ec2.stop(InstanceId))).message).toBe(
      `This instance '${InstanceId}' is not in a state from which it can be stopped.`,
    );
    await ec2.advance(5);
    expect(await ec2.stateOf(InstanceId)).toBe('terminated');
  });

  test('is one of all or none', async () => {
    const [first, second] = [await stopped(), await stopped()];
    const said = await refusal(ec2.start(first, UNKNOWN, second));
    expect(said.name).toBe('InvalidInstanceID.NotFound');
    expect(await ec2.stateOf(first)).toBe('stopped');
    await ec2.start(first, second);
    expect(await ec2.stateOf(second)).toBe('pending');
  });
});

describe('hibernation', () => {
  const able = { ...ON_DEMAND, ...ENCRYPTED_ROOT, HibernationOptions: { Configured: true } };

  test('is a stop with another reason', async () => {
    const { InstanceId } = await running(able);
    await ec2.stop(InstanceId, { Hibernate: true });
    await ec2.advance(5);
    expect(await ec2.one(InstanceId)).toMatchObject({
      State: { Name: 'stopped' },
      StateReason: {
        Code: 'Client.UserInitiatedHibernate',
        Message: 'Client.UserInitiatedHibernate: User initiated hibernate',
      },
    });
    await ec2.start(InstanceId);
  });

  test('is for those launched for it, and excludes force', async () => {
    const { InstanceId } = await running();
    expect(await refusal(ec2.stop(InstanceId, { Hibernate: true }))).toEqual({
      name: 'UnsupportedHibernationConfiguration',
      message: `The instance can't be hibernated because it was not configured at launch for hibernation: ${InstanceId}`,
      status: 400,
    });
    const both = await refusal(ec2.stop(InstanceId, { Hibernate: true, Force: true }));
    expect(both.name).toBe('InvalidParameterCombination');
    expect(await ec2.stateOf(InstanceId)).toBe('running');
  });
});

describe('a spot instance', () => {
  test('of a one-time request can’t be stopped', async () => {
    const { InstanceId } = await running({});
    expect(await refusal(ec2.stop(InstanceId))).toEqual({
      name: 'UnsupportedOperation',
      message: `You can't stop the Spot Instance '${InstanceId}' because it is associated with a one-time Spot Instance request. You can only stop Spot Instances associated with persistent Spot Instance requests.`,
      status: 400,
    });
  });

  test('of a persistent one can, and starts when its request is ready for it', async () => {
    const { InstanceId, SpotInstanceRequestId } = await running(persistent());
    await ec2.stop(InstanceId);
    expect(await ec2.statusOf(SpotInstanceRequestId)).toBe('active marked-for-stop');
    expect(await refusal(ec2.start(InstanceId))).toEqual({
      name: 'IncorrectSpotRequestState',
      message: `You can't start the Spot Instance '${InstanceId}' because the associated Spot Instance request is not in an appropriate state to support start.`,
      status: 400,
    });
    await ec2.advance(5);
    expect(await ec2.statusOf(SpotInstanceRequestId)).toBe('disabled instance-stopped-by-user');
    await ec2.setCapacity(false);
    expect((await refusal(ec2.start(InstanceId))).name).toBe('InsufficientInstanceCapacity');
    await ec2.setCapacity(true);
    expect(await ec2.stateOf(InstanceId)).toBe('stopped');
    await ec2.start(InstanceId);
    expect(await ec2.statusOf(SpotInstanceRequestId)).toBe('active fulfilled');
  });
});

describe('protection', () => {
  test('from termination holds until it is lifted', async () => {
    const { InstanceId } = await running({ ...ON_DEMAND, DisableApiTermination: true });
    expect(await refusal(ec2.terminate(InstanceId))).toEqual({
      name: 'OperationNotPermitted',
      message: `The instance '${InstanceId}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.`,
      status: 400,
    });
    expect((await attribute(InstanceId, 'disableApiTermination')).DisableApiTermination).toEqual({
      Value: true,
    });
    await modify(InstanceId, { DisableApiTermination: { Value: false } });
    expect((await attribute(InstanceId, 'disableApiTermination')).DisableApiTermination).toEqual({
      Value: false,
    });
    await ec2.terminate(InstanceId);
    expect(await ec2.stateOf(InstanceId)).toBe('shutting-down');
  });

  test('spares those of its zone, and no others', async () => {
    const launch = async (zone: string, changes = {}) =>
      (await ec2.launch({ ...ON_DEMAND, ...changes, Placement: { AvailabilityZone: zone } })).InstanceId;
    const [a, b] = [await launch(ZONES[0]), await launch(ZONES[0])];
    const [c, d] = [await launch(ZONES[1], { DisableApiTermination: true }), await launch(ZONES[1])];
    expect((await refusal(ec2.terminate(a, b, UNKNOWN, c, d))).name).toBe('InvalidInstanceID.NotFound');
    expect(await ec2.stateOf(a)).toBe('pending');
    expect(await refusal(ec2.terminate(a, b, c, d))).toMatchObject({
      name: 'OperationNotPermitted',
      message: expect.stringContaining(c),
    });
    const states = await Promise.all([a, b, c, d].map((id) => ec2.stateOf(id)));
    expect(states).toEqual(['shutting-down', 'shutting-down', 'pending', 'pending']);
  });

  test('from stopping is one from termination too', async () => {
    const { InstanceId } = await running({ ...ON_DEMAND, DisableApiStop: true });
    expect((await refusal(ec2.stop(InstanceId))).message).toBe(
      `The instance '${InstanceId}' may not be stopped. Modify its 'disableApiStop' instance attribute and try again.`,
    );
    expect((await refusal(ec2.terminate(InstanceId))).message).toContain("Modify its 'disableApiStop'");
    await modify(InstanceId, { Attribute: 'disableApiStop' as never, Value: 'false' });
    await ec2.stop(InstanceId);
  });
});

describe('an attribute', () => {
  test('can be changed when EC2 lets it', async () => {
    const { InstanceId: id } = await running();
    const userData = Buffer.from('new');
    expect((await refusal(modify(id, { UserData: { Value: userData } }))).name).toBe(
      'IncorrectInstanceState',
    );
    expect((await refusal(modify(id, { InstanceType: { Value: 'g5.xlarge' } }))).name).toBe(
      'IncorrectInstanceState',
    );
    await modify(id, { InstanceInitiatedShutdownBehavior: { Value: 'terminate' } });
    await ec2.stop(id);
    await ec2.advance(5);
    await modify(id, { UserData: { Value: userData } });
    await modify(id, { InstanceType: { Value: 'g5.xlarge' } });
    expect((await attribute(id, 'userData')).UserData?.Value).toBe(userData.toString('base64'));
    expect((await attribute(id, 'instanceType')).InstanceType?.Value).toBe('g5.xlarge');
    expect(
      (await attribute(id, 'instanceInitiatedShutdownBehavior')).InstanceInitiatedShutdownBehavior,
    ).toEqual({
      Value: 'terminate',
    });
    expect((await attribute(id, 'blockDeviceMapping')).BlockDeviceMappings).toHaveLength(1);
  });

  test.each<[string, Partial<ModifyInstanceAttributeCommandInput>]>([
    ['InvalidParameterCombination', {}],
    [
      'InvalidParameterCombination',
      { DisableApiStop: { Value: true }, DisableApiTermination: { Value: true } },
    ],
    ['InvalidParameterValue', { InstanceInitiatedShutdownBehavior: { Value: 'explode' } }],
    ['InvalidParameterValue', { Attribute: 'colour' as never, Value: 'red' }],
    ['InvalidInstanceID.NotFound', { InstanceId: UNKNOWN, DisableApiStop: { Value: true } }],
  ])('change is refused with %s, case %#', async (name, change) => {
    const { InstanceId } = await ec2.launch(ON_DEMAND);
    expect((await refusal(modify(InstanceId, change))).name).toBe(name);
  });

  test('of termination protection isn’t for spot', async () => {
    const { InstanceId } = await ec2.launch();
    expect(await refusal(modify(InstanceId, { DisableApiTermination: { Value: true } }))).toMatchObject({
      name: 'UnsupportedOperation',
      message: "Modifying 'disableApiTermination' is not supported for spot instances.",
    });
  });
});

test('a reboot keeps the instance running, and is refused for one that isn’t', async () => {
  const { InstanceId } = await running();
  const reboot = (...InstanceIds: string[]) => ec2.client.send(new RebootInstancesCommand({ InstanceIds }));
  await reboot(InstanceId);
  expect(await ec2.stateOf(InstanceId)).toBe('running');
  expect((await refusal(reboot(await stopped()))).name).toBe('IncorrectInstanceState');
  expect((await refusal(reboot(InstanceId, UNKNOWN))).name).toBe('InvalidInstanceID.NotFound');
});
