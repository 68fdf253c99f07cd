/** The simulated EC2's images, and the disks of what is launched, through the real AWS SDK. */
import { DisableImageCommand, EnableImageCommand } from '@aws-sdk/client-ec2';
import type { RunInstancesCommandInput } from '@aws-sdk/client-ec2';
import { control } from './simulator-control';
import {
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
  makeImage,
  findImages,
  image,
  deregister,
  snapshots,
  snapshot,
  deleteSnapshot,
  makeSnapshot,
  availableVolume,
  volume,
} from './storage-calls';

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
