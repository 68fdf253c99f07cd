/** Images, snapshots, volumes and tags of the simulated EC2 through the real AWS SDK, its clock standing still. */
import {
  AttachVolumeCommand,
  CreateImageCommand,
  CreateSnapshotCommand,
  CreateSnapshotsCommand,
  CreateTagsCommand,
  CreateVolumeCommand,
  DeleteSnapshotCommand,
  DeleteTagsCommand,
  DeleteVolumeCommand,
  DeregisterImageCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  DescribeSnapshotsCommand,
  DescribeTagsCommand,
  DescribeVolumesCommand,
  DetachVolumeCommand,
  DisableImageCommand,
  EC2Client,
  EnableImageCommand,
  paginateDescribeVolumes,
  RunInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import type {
  CreateImageCommandInput,
  CreateVolumeCommandInput,
  DescribeImagesCommandInput,
  Image,
  Instance,
  RunInstancesCommandInput,
  Snapshot,
  Volume,
} from '@aws-sdk/client-ec2';
import { type Simulator, startSimulator } from '../harness/simulator';
import { control } from './simulator-control';

const ZONE = 'us-east-1b';
const NOWHERE = '0123456789abcdef0';

let simulator: Simulator;
let ec2: EC2Client;

beforeAll(async () => {
  simulator = await startSimulator(
    ...['--boot', 'none', '--paused-clock', '--synthetic', '3', '--region', 'us-east-1'],
    ...['--boot-seconds', '0', '--shutdown-seconds', '5', '--volume-seconds', '3'],
    ...['--image-seconds', '100+2', '--snapshot-seconds', '50+1'],
  );
  ec2 = new EC2Client({
    region: 'us-east-1',
    endpoint: simulator.ready.cloudUrl,
    credentials: { accessKeyId: 'AKIDTEST', secretAccessKey: 'secret' },
    maxAttempts: 1,
  });
});

afterAll(async () => {
  ec2?.destroy();
  await simulator?.stop();
});

beforeEach(() => control(simulator, '/pools/give-back', {}));

const advance = (seconds: number) => control(simulator, '/clock/advance', { seconds });
const refusal = async (run: Promise<unknown>): Promise<{ name: string; message: string }> => {
  try {
    await run;
  } catch (error) {
    const { name, message } = error as Error;
    return { name, message };
  }
  throw new Error('It was not refused.');
};
const DATA_DISK = { DeviceName: '/dev/xvdf', Ebs: { VolumeSize: 40 } };

async function launch(changes: Partial<RunInstancesCommandInput> = {}): Promise<Instance> {
  const { Instances } = await ec2.send(
    new RunInstancesCommand({
      ImageId: simulator.ready.imageId,
      InstanceType: 'g5.xlarge',
      MinCount: 1,
      MaxCount: 1,
      Placement: { AvailabilityZone: ZONE },
      ...changes,
    }),
  );
  const made = Instances?.[0] as Instance;
  await advance(1);
  return made;
}
const idOf = ({ InstanceId }: Instance) => InstanceId as string;
const terminate = (id: string) => ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
async function describeInstance(id: string): Promise<Instance> {
  const { Reservations } = await ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }));
  return Reservations?.[0]?.Instances?.[0] as Instance;
}
/** Volume ids by device. */
async function disksOf(id: string): Promise<Record<string, string>> {
  const { BlockDeviceMappings = [] } = await describeInstance(id);
  return Object.fromEntries(BlockDeviceMappings.map((disk) => [disk.DeviceName, disk.Ebs?.VolumeId]));
}

let names = 0;
async function makeImage(
  instanceId: string,
  changes: Partial<CreateImageCommandInput> = {},
): Promise<string> {
  const { ImageId } = await ec2.send(
    new CreateImageCommand({
      InstanceId: instanceId,
      Name: `image-${++names}`,
      NoReboot: true,
      ...changes,
    }),
  );
  return ImageId as string;
}
async function findImages(input: DescribeImagesCommandInput): Promise<Image[]> {
  return (await ec2.send(new DescribeImagesCommand(input))).Images ?? [];
}
const image = async (id: string) => (await findImages({ ImageIds: [id], IncludeDisabled: true }))[0];
const deregister = (ImageId: string, DeleteAssociatedSnapshots?: boolean) =>
  ec2.send(new DeregisterImageCommand({ ImageId, DeleteAssociatedSnapshots }));

async function snapshots(filters: Record<string, string>): Promise<Snapshot[]> {
  const Filters = Object.entries(filters).map(([Name, value]) => ({ Name, Values: [value] }));
  return (await ec2.send(new DescribeSnapshotsCommand({ Filters, OwnerIds: ['self'] }))).Snapshots ?? [];
}
const snapshot = async (id: string) =>
  (await ec2.send(new DescribeSnapshotsCommand({ SnapshotIds: [id] }))).Snapshots?.[0];
const deleteSnapshot = (SnapshotId: string) => ec2.send(new DeleteSnapshotCommand({ SnapshotId }));
async function makeSnapshot(VolumeId: string): Promise<string> {
  return (await ec2.send(new CreateSnapshotCommand({ VolumeId }))).SnapshotId as string;
}

const makeVolume = (changes: Partial<CreateVolumeCommandInput> = {}) =>
  ec2.send(new CreateVolumeCommand({ AvailabilityZone: ZONE, Size: 10, VolumeType: 'gp3', ...changes }));
async function availableVolume(changes: Partial<CreateVolumeCommandInput> = {}): Promise<string> {
  const { VolumeId } = await makeVolume(changes);
  await advance(3);
  return VolumeId as string;
}
async function volume(id: string): Promise<Volume | undefined> {
  return (await ec2.send(new DescribeVolumesCommand({ VolumeIds: [id] }))).Volumes?.[0];
}
const attach = (VolumeId: string, InstanceId: string, Device = '/dev/xvdh') =>
  ec2.send(new AttachVolumeCommand({ VolumeId, InstanceId, Device }));
const detach = (VolumeId: string) => ec2.send(new DetachVolumeCommand({ VolumeId }));
const deleteVolume = (VolumeId: string) => ec2.send(new DeleteVolumeCommand({ VolumeId }));

describe('an image', () => {
  test('is pending by its size, and available with a snapshot of each disk', async () => {
    const instanceId = idOf(await launch({ BlockDeviceMappings: [DATA_DISK] }));
    const disks = await disksOf(instanceId);
    const id = await makeImage(instanceId, {
      TagSpecifications: [
        { ResourceType: 'image', Tags: [{ Key: 'for', Value: 'image' }] },
        { ResourceType: 'snapshot', Tags: [{ Key: 'for', Value: 'snapshot' }] },
      ],
    });
    const taken = await snapshots({ description: `Created by CreateImage(${instanceId}) for ${id}` });
    expect(taken.map((each) => [each.VolumeId, each.VolumeSize, each.State])).toEqual([
      [disks['/dev/xvda'], 8, 'pending'],
      [disks['/dev/xvdf'], 40, 'pending'],
    ]);
    expect(taken[0]?.Tags).toEqual([{ Key: 'for', Value: 'snapshot' }]);
    expect(await image(id)).toMatchObject({
      State: 'pending',
      RootDeviceName: '/dev/xvda',
      Tags: [{ Key: 'for', Value: 'image' }],
      BlockDeviceMappings: [
        { DeviceName: '/dev/xvda', Ebs: { SnapshotId: taken[0]?.SnapshotId, DeleteOnTermination: true } },
        { DeviceName: '/dev/xvdf', Ebs: { SnapshotId: taken[1]?.SnapshotId, DeleteOnTermination: false } },
      ],
    });
    // 100 s and 2 for each of its 48 GiB.
    await advance(98);
    expect((await snapshot(taken[0]?.SnapshotId as string))?.Progress).toBe('50%');
    await advance(97.9);
    expect((await image(id))?.State).toBe('pending');
    await advance(0.2);
    expect((await image(id))?.State).toBe('available');
    expect(await snapshot(taken[1]?.SnapshotId as string)).toMatchObject({
      State: 'completed',
      Progress: '100%',
    });

    const again = await makeImage(instanceId);
    await advance(100 + 2 * 4.8 + 0.1);
    expect((await image(again))?.State).toBe('available');
    const copy = await describeInstance(idOf(await launch({ ImageId: id })));
    expect(copy.BlockDeviceMappings?.map((disk) => [disk.DeviceName, disk.Ebs?.DeleteOnTermination])).toEqual(
      [
        ['/dev/xvda', true],
        ['/dev/xvdf', false],
      ],
    );
    const root = await volume(copy.BlockDeviceMappings?.[0]?.Ebs?.VolumeId as string);
    expect(root).toMatchObject({ SnapshotId: taken[0]?.SnapshotId, Size: 8, State: 'in-use' });
  });

  test('leaves out or changes the disks it is told to', async () => {
    const instanceId = idOf(await launch({ BlockDeviceMappings: [DATA_DISK] }));
    const without = await makeImage(instanceId, {
      BlockDeviceMappings: [
        { DeviceName: '/dev/xvdf', NoDevice: '' },
        { DeviceName: '/dev/xvda', Ebs: { DeleteOnTermination: false } },
        { DeviceName: '/dev/xvdg', Ebs: { VolumeSize: 5 } },
      ],
    });
    expect(
      (await image(without))?.BlockDeviceMappings?.map((disk) => [
        disk.DeviceName,
        disk.Ebs?.DeleteOnTermination,
        disk.Ebs?.SnapshotId !== undefined,
      ]),
    ).toEqual([
      ['/dev/xvda', false, true],
      ['/dev/xvdg', false, false],
    ]);
    await advance(20);
    const larger = makeImage(instanceId, {
      BlockDeviceMappings: [{ ...DATA_DISK, Ebs: { VolumeSize: 80 } }],
    });
    expect((await refusal(larger)).name).toBe('InvalidBlockDeviceMapping');
  });

  test('has a name of its own until it is deregistered, and is then good for nothing', async () => {
    const instanceId = idOf(await launch());
    const id = await makeImage(instanceId, { Name: 'of its own' });
    await advance(200);
    expect(await refusal(makeImage(instanceId, { Name: 'of its own' }))).toEqual({
      name: 'InvalidAMIName.Duplicate',
      message: `AMI name of its own is already in use by AMI ${id}`,
    });
    const [taken] = await snapshots({ description: `*${id}` });
    const snapshotId = taken?.SnapshotId as string;
    expect(await refusal(deleteSnapshot(snapshotId))).toEqual({
      name: 'InvalidSnapshot.InUse',
      message: `The snapshot ${snapshotId} is currently in use by ${id}`,
    });
    const booted = idOf(await launch({ ImageId: id }));
    expect(await deregister(id)).toMatchObject({ Return: true });
    expect((await describeInstance(booted)).State?.Name).toBe('running');
    expect(await findImages({ ImageIds: [id], IncludeDisabled: true })).toEqual([]);
    expect((await findImages({ Owners: ['self'] })).map(({ ImageId }) => ImageId)).not.toContain(id);
    expect((await refusal(deregister(id))).name).toBe('InvalidAMIID.Unavailable');
    expect((await refusal(launch({ ImageId: id }))).name).toBe('InvalidAMIID.Unavailable');
    await makeImage(instanceId, { Name: 'of its own' });
    expect((await snapshot(snapshotId))?.State).toBe('completed');
    await deleteSnapshot(snapshotId);
    expect((await refusal(snapshot(snapshotId) as Promise<unknown>)).name).toBe('InvalidSnapshot.NotFound');
    // EC2 remembers it as long as an instance names it.
    await advance(4000);
    expect(await findImages({ ImageIds: [id] })).toEqual([]);
    await terminate(booted);
    await advance(4000);
    expect((await refusal(findImages({ ImageIds: [id] }))).name).toBe('InvalidAMIID.NotFound');
    expect((await refusal(deregister(id))).name).toBe('InvalidAMIID.NotFound');
  });

  test('takes its snapshots with it when told to, but those that another image needs', async () => {
    const instanceId = idOf(await launch());
    const first = await makeImage(instanceId);
    await advance(200);
    const shared = (await snapshots({ description: `*${first}` }))[0]?.SnapshotId as string;
    const second = await makeImage(instanceId, {
      BlockDeviceMappings: [{ DeviceName: '/dev/xvdg', Ebs: { SnapshotId: shared } }],
    });
    await advance(200);
    const own = (await snapshots({ description: `*${second}` }))[0]?.SnapshotId as string;
    expect((await deregister(second, true)).DeleteSnapshotResults).toEqual([
      { SnapshotId: own, ReturnCode: 'success' },
      { SnapshotId: shared, ReturnCode: 'skipped' },
    ]);
    expect((await deregister(first, true)).DeleteSnapshotResults).toEqual([
      { SnapshotId: shared, ReturnCode: 'success' },
    ]);
    expect((await refusal(snapshot(shared) as Promise<unknown>)).name).toBe('InvalidSnapshot.NotFound');
  });

  test('outlives its instance unless that ends before its disks were read', async () => {
    const early = idOf(await launch());
    const rebooting = await makeImage(early, { NoReboot: undefined });
    const late = idOf(await launch());
    const atOnce = await makeImage(late);
    await terminate(early);
    await terminate(late);
    await advance(5);
    expect(await image(rebooting)).toMatchObject({
      State: 'failed',
      StateReason: { Code: 'Client.InstanceTerminated' },
    });
    await advance(200);
    expect((await image(atOnce))?.State).toBe('available');
    expect((await describeInstance(late)).State?.Name).toBe('terminated');
    expect((await refusal(makeImage(late))).name).toBe('InvalidParameterValue');
    expect((await launch({ ImageId: atOnce })).ImageId).toBe(atOnce);
  });

  test('fails when the control API wants it to', async () => {
    const instanceId = idOf(await launch());
    await control(simulator, '/images/fail-next', { count: 1 });
    const id = await makeImage(instanceId);
    expect((await image(id))?.State).toBe('pending');
    await advance(200);
    expect(await image(id)).toMatchObject({ State: 'failed', StateReason: { Code: 'Server.InternalError' } });
    expect((await refusal(launch({ ImageId: id }))).name).toBe('InvalidAMIID.Unavailable');
    expect((await refusal(ec2.send(new DisableImageCommand({ ImageId: id })))).name).toBe(
      'InvalidAMIID.Unavailable',
    );
    await deregister(id);
    const next = await makeImage(instanceId);
    await advance(200);
    expect((await image(next))?.State).toBe('available');
  });

  test('that is disabled launches nothing, hides, and keeps its snapshots', async () => {
    const id = await makeImage(idOf(await launch()));
    expect((await refusal(launch({ ImageId: id }))).name).toBe('InvalidAMIID.Unavailable');
    await advance(200);
    const disable = () => ec2.send(new DisableImageCommand({ ImageId: id }));
    expect(await disable()).toMatchObject({ Return: true });
    expect(await disable()).toMatchObject({ Return: true });
    expect((await refusal(launch({ ImageId: id }))).name).toBe('InvalidAMIID.Unavailable');
    expect(await findImages({ ImageIds: [id] })).toEqual([]);
    const Filters = [{ Name: 'state', Values: ['disabled'] }];
    expect((await refusal(findImages({ Filters }))).name).toBe('InvalidParameter');
    expect((await findImages({ Filters, IncludeDisabled: true })).map(({ ImageId }) => ImageId)).toEqual([
      id,
    ]);
    const [taken] = await snapshots({ description: `*${id}` });
    expect((await refusal(deleteSnapshot(taken?.SnapshotId as string))).name).toBe('InvalidSnapshot.InUse');
    await ec2.send(new EnableImageCommand({ ImageId: id }));
    expect((await image(id))?.State).toBe('available');
    await disable();
    await deregister(id);
  });

  test('of someone else is not ours to change', async () => {
    const { imageId } = simulator.ready;
    expect(await refusal(deregister(imageId))).toEqual({
      name: 'AuthFailure',
      message: `Not authorized for image:${imageId}`,
    });
    expect((await findImages({ ExecutableUsers: ['all'] })).map(({ ImageId }) => ImageId)).toEqual([imageId]);
    expect((await refusal(deregister(`ami-${NOWHERE}`))).name).toBe('InvalidAMIID.NotFound');
  });
});

describe('a launch', () => {
  test('has the disks that it asks for', async () => {
    const empty = await availableVolume({ Size: 4 });
    const snapshotId = await makeSnapshot(empty);
    await advance(60);
    const id = idOf(
      await launch({
        BlockDeviceMappings: [
          { DeviceName: '/dev/xvda', Ebs: { VolumeSize: 20, DeleteOnTermination: false } },
          { DeviceName: '/dev/xvdf', Ebs: { SnapshotId: snapshotId, VolumeType: 'io2', Iops: 500 } },
          { DeviceName: '/dev/xvdg', Ebs: { VolumeSize: 7, Encrypted: true, DeleteOnTermination: true } },
        ],
        TagSpecifications: [{ ResourceType: 'volume', Tags: [{ Key: 'for', Value: 'disks' }] }],
      }),
    );
    const disks = await disksOf(id);
    expect(Object.keys(disks)).toEqual(['/dev/xvda', '/dev/xvdf', '/dev/xvdg']);
    expect(await volume(disks['/dev/xvda'] as string)).toMatchObject({
      Size: 20,
      VolumeType: 'gp3',
      Iops: 3000,
    });
    expect(await volume(disks['/dev/xvdf'] as string)).toMatchObject({
      Size: 4,
      SnapshotId: snapshotId,
      VolumeType: 'io2',
      Iops: 500,
      Tags: [{ Key: 'for', Value: 'disks' }],
    });
    expect(await volume(disks['/dev/xvdg'] as string)).toMatchObject({
      VolumeType: 'gp2',
      Encrypted: true,
      Attachments: [{ InstanceId: id, Device: '/dev/xvdg', State: 'attached', DeleteOnTermination: true }],
    });
    await terminate(id);
    await advance(5);
    expect((await describeInstance(id)).BlockDeviceMappings ?? []).toEqual([]);
    // What isn't deleted with its instance is left behind, and costs.
    for (const device of ['/dev/xvda', '/dev/xvdf']) {
      expect(await volume(disks[device] as string)).toMatchObject({ State: 'available' });
    }
    expect((await refusal(volume(disks['/dev/xvdg'] as string))).name).toBe('InvalidVolume.NotFound');
  });

  test.each<[string, NonNullable<RunInstancesCommandInput['BlockDeviceMappings']>]>([
    ['smaller than snapshot', [{ DeviceName: '/dev/xvda', Ebs: { VolumeSize: 7 } }]],
    ['used in more than one', [DATA_DISK, DATA_DISK]],
    ['Invalid device name', [{ DeviceName: 'nonsense', Ebs: { VolumeSize: 1 } }]],
    ['Either snapshot ID or volume size', [{ DeviceName: '/dev/xvdf', Ebs: { VolumeType: 'gp3' } }]],
    ['root device', [{ DeviceName: '/dev/xvda', NoDevice: '' }]],
    ['too small', [{ DeviceName: '/dev/xvdf', Ebs: { VolumeSize: 100, VolumeType: 'st1' } }]],
    ['iops must be specified', [{ DeviceName: '/dev/xvdf', Ebs: { VolumeSize: 100, VolumeType: 'io1' } }]],
  ])('is refused with %s', async (words, BlockDeviceMappings) => {
    expect(await refusal(launch({ BlockDeviceMappings }))).toEqual({
      name: 'InvalidBlockDeviceMapping',
      message: expect.stringContaining(words),
    });
  });
});

describe('a snapshot', () => {
  test('is pending by what changed since the one before, and can be taken of any volume', async () => {
    const free = await availableVolume({ Size: 100 });
    const made = await ec2.send(
      new CreateSnapshotCommand({
        VolumeId: free,
        Description: 'first',
        TagSpecifications: [{ ResourceType: 'snapshot', Tags: [{ Key: 'of', Value: 'free' }] }],
      }),
    );
    expect(made).toMatchObject({
      State: 'pending',
      Progress: '0%',
      VolumeId: free,
      VolumeSize: 100,
      OwnerId: simulator.ready.accountId,
      Description: 'first',
      Tags: [{ Key: 'of', Value: 'free' }],
    });
    const first = made.SnapshotId as string;
    expect((await refusal(makeSnapshot(free))).name).toBe('SnapshotCreationPerVolumeRateExceeded');
    expect((await refusal(makeVolume({ SnapshotId: first, Size: undefined }))).name).toBe('IncorrectState');
    await advance(149.9);
    expect((await snapshot(first))?.State).toBe('pending');
    await advance(0.2);
    expect(await snapshot(first)).toMatchObject({ State: 'completed', Progress: '100%' });
    const second = await makeSnapshot(free);
    await advance(60.1);
    expect((await snapshot(second))?.State).toBe('completed');

    const disks = await disksOf(idOf(await launch()));
    expect((await makeSnapshot(disks['/dev/xvda'] as string)).startsWith('snap-')).toBe(true);
    expect((await refusal(makeSnapshot(`vol-${NOWHERE}`))).name).toBe('InvalidVolume.NotFound');
  });

  test('is one of five at most that are pending of a volume', async () => {
    const id = await availableVolume({ Size: 1000 });
    for (let count = 0; count < 5; count++) {
      await makeSnapshot(id);
      await advance(16);
    }
    expect((await refusal(makeSnapshot(id))).name).toBe('ConcurrentSnapshotLimitExceeded');
    await advance(1200);
    await makeSnapshot(id);
  });

  test('of each volume of an instance is of one moment', async () => {
    const instanceId = idOf(
      await launch({
        BlockDeviceMappings: [DATA_DISK, { ...DATA_DISK, DeviceName: '/dev/xvdg' }],
        TagSpecifications: [{ ResourceType: 'volume', Tags: [{ Key: 'from', Value: 'volume' }] }],
      }),
    );
    const disks = await disksOf(instanceId);
    const { Snapshots = [] } = await ec2.send(
      new CreateSnapshotsCommand({
        InstanceSpecification: {
          InstanceId: instanceId,
          ExcludeDataVolumeIds: [disks['/dev/xvdg'] as string],
        },
        CopyTagsFromSource: 'volume',
      }),
    );
    expect(Snapshots.map(({ VolumeId }) => VolumeId)).toEqual([disks['/dev/xvda'], disks['/dev/xvdf']]);
    expect(Snapshots[0]).toMatchObject({ State: 'pending', Tags: [{ Key: 'from', Value: 'volume' }] });
    expect(Snapshots[0]?.StartTime).toEqual(Snapshots[1]?.StartTime);
    const root = ec2.send(
      new CreateSnapshotsCommand({
        InstanceSpecification: {
          InstanceId: instanceId,
          ExcludeDataVolumeIds: [disks['/dev/xvda'] as string],
        },
      }),
    );
    expect((await refusal(root)).name).toBe('InvalidParameterValue');
  });

  test('is found by filter, owner and page, or is NotFound', async () => {
    const id = await availableVolume({ Size: 1 });
    for (let count = 0; count < 6; count++) {
      await makeSnapshot(id);
      await advance(200);
    }
    const Filters = [{ Name: 'volume-id', Values: [id] }];
    const first = await ec2.send(new DescribeSnapshotsCommand({ Filters, MaxResults: 5 }));
    expect(first.Snapshots).toHaveLength(5);
    const rest = await ec2.send(
      new DescribeSnapshotsCommand({ Filters, MaxResults: 5, NextToken: first.NextToken }),
    );
    expect(rest).toMatchObject({ Snapshots: [{ VolumeId: id }] });
    expect(rest.NextToken).toBeUndefined();
    expect(await snapshots({ 'volume-id': id, status: 'pending' })).toEqual([]);
    const amazons = await ec2.send(new DescribeSnapshotsCommand({ OwnerIds: ['amazon'] }));
    expect(amazons.Snapshots).toEqual([]);
    expect(await refusal(snapshot(`snap-${NOWHERE}`))).toEqual({
      name: 'InvalidSnapshot.NotFound',
      message: `The snapshot 'snap-${NOWHERE}' does not exist.`,
    });
    expect((await refusal(deleteSnapshot(`snap-${NOWHERE}`))).name).toBe('InvalidSnapshot.NotFound');
    expect((await refusal(snapshot('nonsense'))).name).toBe('InvalidParameterValue');
    expect((await refusal(snapshot('snap-nonsense'))).name).toBe('InvalidSnapshotID.Malformed');
    expect((await refusal(volume('vol-nonsense'))).name).toBe('InvalidVolumeID.Malformed');
  });
});

describe('a volume', () => {
  test('is made, attached, detached and deleted, each in its time', async () => {
    const instanceId = idOf(await launch());
    const made = await makeVolume({
      TagSpecifications: [{ ResourceType: 'volume', Tags: [{ Key: 'a', Value: 'b' }] }],
    });
    const id = made.VolumeId as string;
    expect(made).toMatchObject({
      State: 'creating',
      Size: 10,
      VolumeType: 'gp3',
      Iops: 3000,
      Throughput: 125,
      AvailabilityZone: ZONE,
      Encrypted: false,
      Tags: [{ Key: 'a', Value: 'b' }],
    });
    expect(await refusal(attach(id, instanceId))).toEqual({
      name: 'IncorrectState',
      message: `${id} is not 'available'.`,
    });
    await advance(3);
    expect((await volume(id))?.State).toBe('available');
    expect(await refusal(detach(id))).toEqual({
      name: 'IncorrectState',
      message: `Volume '${id}' is in the 'available' state.`,
    });
    expect(await attach(id, instanceId)).toMatchObject({
      State: 'attaching',
      InstanceId: instanceId,
      Device: '/dev/xvdh',
      DeleteOnTermination: false,
    });
    expect((await describeInstance(instanceId)).BlockDeviceMappings?.[1]).toMatchObject({
      DeviceName: '/dev/xvdh',
      Ebs: { VolumeId: id, Status: 'attaching', DeleteOnTermination: false },
    });
    await advance(3);
    expect(await volume(id)).toMatchObject({ State: 'in-use', Attachments: [{ State: 'attached' }] });
    expect(await refusal(deleteVolume(id))).toEqual({
      name: 'VolumeInUse',
      message: `Volume ${id} is currently attached to ${instanceId}`,
    });
    expect(await detach(id)).toMatchObject({ State: 'detaching' });
    expect(await volume(id)).toMatchObject({ State: 'in-use', Attachments: [{ State: 'detaching' }] });
    await advance(3);
    expect(await volume(id)).toMatchObject({ State: 'available', Attachments: [] });
    expect(Object.keys(await disksOf(instanceId))).toEqual(['/dev/xvda']);
    await deleteVolume(id);
    expect((await volume(id))?.State).toBe('deleting');
    await advance(3);
    expect(await refusal(volume(id))).toEqual({
      name: 'InvalidVolume.NotFound',
      message: `The volume '${id}' does not exist.`,
    });
  });

  test('goes to one instance, of its own zone, at a free device', async () => {
    const here = idOf(await launch());
    const there = idOf(await launch({ Placement: { AvailabilityZone: 'us-east-1a' } }));
    const id = await availableVolume();
    expect(await refusal(attach(id, there))).toEqual({
      name: 'InvalidVolume.ZoneMismatch',
      message: `The volume '${id}' is not in the same availability zone as instance '${there}'`,
    });
    expect((await refusal(attach(id, here, 'nonsense'))).name).toBe('InvalidParameterValue');
    expect((await refusal(attach(id, here, '/dev/xvda'))).message).toContain('is already in use');
    expect((await refusal(attach(id, `i-${NOWHERE}`))).name).toBe('InvalidInstanceID.NotFound');
    await attach(id, here, 'sdf');
    expect((await disksOf(here))['/dev/sdf']).toBe(id);
    expect(await refusal(attach(id, here, '/dev/xvdi'))).toEqual({
      name: 'VolumeInUse',
      message: `${id} is already attached to an instance`,
    });
    const other = new DetachVolumeCommand({ VolumeId: id, InstanceId: there });
    expect((await refusal(ec2.send(other))).name).toBe('InvalidAttachment.NotFound');
    const root = (await disksOf(here))['/dev/xvda'] as string;
    expect((await refusal(detach(root))).name).toBe('OperationNotPermitted');
    await terminate(here);
    await advance(5);
    expect((await volume(id))?.State).toBe('available');
    expect((await refusal(attach(id, here))).name).toBe('IncorrectState');
  });

  test('is one for each client token', async () => {
    const first = await makeVolume({ ClientToken: 'volume-token' });
    expect((await makeVolume({ ClientToken: 'volume-token' })).VolumeId).toBe(first.VolumeId);
    expect((await refusal(makeVolume({ ClientToken: 'volume-token', Size: 11 }))).name).toBe(
      'IdempotentParameterMismatch',
    );
    expect((await refusal(makeVolume({ ClientToken: 'x'.repeat(65) }))).name).toBe('InvalidParameterValue');
    await advance(3);
    await deleteVolume(first.VolumeId as string);
    await advance(3);
    expect((await refusal(makeVolume({ ClientToken: 'volume-token' }))).name).toBe('InvalidVolume.NotFound');
  });

  test.each<[string, Partial<CreateVolumeCommandInput>]>([
    ['MissingParameter', { Size: undefined }],
    ['MissingParameter', { AvailabilityZone: undefined }],
    ['InvalidZone.NotFound', { AvailabilityZone: 'mars-1a' }],
    ['InvalidParameterCombination', { AvailabilityZoneId: 'use1-az2' }],
    ['InvalidParameterValue', { VolumeType: 'gp2', Size: 20_000 }],
    ['InvalidParameterValue', { VolumeType: 'gp2', Iops: 500 }],
    ['InvalidParameterValue', { Iops: 100 }],
    ['InvalidParameterValue', { VolumeType: 'xl9' as never }],
    ['InvalidSnapshot.NotFound', { SnapshotId: `snap-${NOWHERE}` }],
    ['DryRunOperation', { DryRun: true }],
  ])('gets %s, case %#', async (name, changes) => {
    expect((await refusal(makeVolume(changes))).name).toBe(name);
  });

  test('is found by what it is and where, over pages', async () => {
    const Tags = [{ Key: 'fleet', Value: 'found' }];
    const TagSpecifications = [{ ResourceType: 'volume' as const, Tags }];
    const { Instances = [] } = await ec2.send(
      new RunInstancesCommand({
        ImageId: simulator.ready.imageId,
        InstanceType: 'g5.xlarge',
        MinCount: 6,
        MaxCount: 6,
        Placement: { AvailabilityZone: ZONE },
        TagSpecifications,
      }),
    );
    await makeVolume({ TagSpecifications });
    const find = async (filters: Record<string, string>) => {
      const found: Volume[] = [];
      const Filters = Object.entries(filters).map(([Name, value]) => ({ Name, Values: [value] }));
      for await (const page of paginateDescribeVolumes({ client: ec2, pageSize: 5 }, { Filters })) {
        expect(page.Volumes?.length).toBeLessThanOrEqual(5);
        found.push(...(page.Volumes ?? []));
      }
      return found;
    };
    expect(await find({ 'tag:fleet': 'found' })).toHaveLength(7);
    expect(await find({ 'tag:fleet': 'found', status: 'in-use' })).toHaveLength(6);
    const [first] = Instances;
    expect(await find({ 'attachment.instance-id': first?.InstanceId as string })).toMatchObject([
      { Attachments: [{ InstanceId: first?.InstanceId }] },
    ]);
    expect(await find({ 'tag:fleet': 'found', 'attachment.status': 'attached', size: '9' })).toEqual([]);
    expect((await refusal(find({ nonsense: 'x' }))).name).toBe('InvalidParameterValue');
  });
});

describe('tags', () => {
  test('are put on all kinds of things together, or on none of them', async () => {
    const instance = idOf(await launch());
    const disk = (await disksOf(instance))['/dev/xvda'] as string;
    const taken = await makeSnapshot(disk);
    await advance(60);
    const made = await makeImage(instance);
    const all = [instance, made, disk, taken];
    const put = (ids: string[], ...tags: [string, string][]) =>
      ec2.send(new CreateTagsCommand({ Resources: ids, Tags: tags.map(([Key, Value]) => ({ Key, Value })) }));
    const seen = async (key: string) => {
      const Filters = [{ Name: 'key', Values: [key] }];
      const { Tags = [] } = await ec2.send(new DescribeTagsCommand({ Filters }));
      return Tags.map((tag) => [tag.ResourceType, tag.ResourceId, tag.Value]);
    };
    for (const [id, code] of [
      [`i-${NOWHERE}`, 'InvalidInstanceID.NotFound'],
      [`ami-${NOWHERE}`, 'InvalidAMIID.NotFound'],
      [`vol-${NOWHERE}`, 'InvalidVolume.NotFound'],
      [`snap-${NOWHERE}`, 'InvalidSnapshot.NotFound'],
      ['sir-12345678', 'InvalidSpotInstanceRequestID.NotFound'],
      ['nonsense', 'InvalidID'],
    ] as const) {
      expect((await refusal(put([...all, id], ['together', '1']))).name).toBe(code);
    }
    expect(await seen('together')).toEqual([]);
    await put(all, ['together', '1'], ['other', '']);
    expect(await seen('together')).toEqual([
      ['instance', instance, '1'],
      ['image', made, '1'],
      ['volume', disk, '1'],
      ['snapshot', taken, '1'],
    ]);
    await put([disk], ['together', '2']);
    expect((await volume(disk))?.Tags).toEqual([
      { Key: 'together', Value: '2' },
      { Key: 'other', Value: '' },
    ]);

    const remove = (...Tags: { Key: string; Value?: string }[]) =>
      ec2.send(new DeleteTagsCommand({ Resources: all, Tags }));
    await remove({ Key: 'together', Value: '2' }, { Key: 'not there' });
    expect((await seen('together')).map(([type]) => type)).toEqual(['instance', 'image', 'snapshot']);
    await remove({ Key: 'together', Value: '' });
    expect(await seen('together')).toHaveLength(3);
    await remove({ Key: 'together' });
    expect(await seen('together')).toEqual([]);
    expect(await seen('other')).toHaveLength(4);
    await ec2.send(new DeleteTagsCommand({ Resources: all }));
    expect(await seen('other')).toEqual([]);
  });

  test('are fifty at most', async () => {
    const id = await availableVolume();
    const some = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, index) => ({ Key: `key-${from + index}`, Value: 'x' }));
    await ec2.send(new CreateTagsCommand({ Resources: [id], Tags: some(0, 50) }));
    const more = new CreateTagsCommand({ Resources: [id], Tags: some(49, 51) });
    expect((await refusal(ec2.send(more))).name).toBe('TagLimitExceeded');
  });
});
