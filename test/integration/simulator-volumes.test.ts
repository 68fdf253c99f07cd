/** The simulated EC2's snapshots and volumes through the real AWS SDK. */
import {
  CreateSnapshotCommand,
  CreateSnapshotsCommand,
  DescribeSnapshotsCommand,
  DetachVolumeCommand,
  paginateDescribeVolumes,
  RunInstancesCommand,
} from '@aws-sdk/client-ec2';
import type { CreateVolumeCommandInput, Volume } from '@aws-sdk/client-ec2';
import {
  ZONE,
  NOWHERE,
  simulator,
  ec2,
  advance,
  refusal,
  DATA_DISK,
  launch,
  idOf,
  terminate,
  describeInstance,
  disksOf,
  snapshots,
  snapshot,
  deleteSnapshot,
  makeSnapshot,
  makeVolume,
  availableVolume,
  volume,
  attach,
  detach,
  deleteVolume,
} from './storage-calls';

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
