/** Spot requests of the simulated EC2: how interruptions show, and what persistent ones do about them. */
import {
  CancelSpotInstanceRequestsCommand,
  CreateTagsCommand,
  DeregisterImageCommand,
  CreateImageCommand,
  DescribeSpotInstanceRequestsCommand,
  paginateDescribeSpotInstanceRequests,
} from '@aws-sdk/client-ec2';
import { type Simulator, startSimulator } from '../harness/simulator';
import { ENCRYPTED_ROOT, persistent, SimulatedEc2, ZONES } from './simulator-client';
import { refusal } from './simulator-requests';

let simulator: Simulator;
let ec2: SimulatedEc2;

beforeAll(async () => {
  simulator = await startSimulator(
    ...['--boot', 'none', '--paused-clock', '--synthetic', '3', '--region', 'us-east-1'],
    ...['--boot-seconds', '20', '--shutdown-seconds', '5', '--image-seconds', '0'],
  );
  ec2 = new SimulatedEc2(simulator);
});
afterAll(async () => {
  ec2?.close();
  await simulator?.stop();
});
beforeEach(async () => {
  await ec2.control('/pools/give-back', {});
  await ec2.control('/quotas', { vcpus: null, instances: null });
});

const cancel = (...ids: (string | undefined)[]) =>
  ec2.client.send(new CancelSpotInstanceRequestsCommand({ SpotInstanceRequestIds: ids as string[] }));
const running = async (changes: Parameters<SimulatedEc2['launch']>[0] = persistent()) => {
  const instance = await ec2.launch(changes);
  await ec2.advance(20);
  return instance;
};

describe('a request', () => {
  test('shows what was asked for and how it stands', async () => {
    const { InstanceId, SpotInstanceRequestId } = await ec2.launch({
      ...persistent({ maxPrice: '0.09', validUntil: new Date(Date.now() + 3_600_000) }),
      TagSpecifications: [{ ResourceType: 'spot-instances-request', Tags: [{ Key: 'a', Value: 'b' }] }],
    });
    await ec2.client.send(
      new CreateTagsCommand({
        Resources: [SpotInstanceRequestId as string],
        Tags: [{ Key: 'c', Value: 'd' }],
      }),
    );
    const request = await ec2.request(SpotInstanceRequestId);
    expect(request).toMatchObject({
      ...{ InstanceId, SpotInstanceRequestId, Type: 'persistent', State: 'active', SpotPrice: '0.090000' },
      Status: { Code: 'fulfilled', Message: 'Your spot request is fulfilled.' },
      InstanceInterruptionBehavior: 'stop',
      LaunchedAvailabilityZone: ZONES[1],
      ProductDescription: 'Linux/UNIX',
      LaunchSpecification: { InstanceType: 'm5.large', ImageId: simulator.ready.imageId },
      Tags: [
        { Key: 'a', Value: 'b' },
        { Key: 'c', Value: 'd' },
      ],
    });
    expect(Math.abs((request.CreateTime?.getTime() ?? 0) - Date.now())).toBeLessThan(60_000);
    expect(Math.abs((request.ValidUntil?.getTime() ?? 0) - Date.now() - 3_600_000)).toBeLessThan(60_000);
  });

  test('is found by filter and over pages', async () => {
    const tag = { ResourceType: 'spot-instances-request' as const, Tags: [{ Key: 'set', Value: 'paged' }] };
    const made = await ec2.run({ MaxCount: 12, MinCount: 12, TagSpecifications: [tag] });
    const found: string[] = [];
    const Filters = [{ Name: 'tag:set', Values: ['paged'] }];
    for await (const page of paginateDescribeSpotInstanceRequests(
      { client: ec2.client, pageSize: 5 },
      { Filters },
    )) {
      expect(page.SpotInstanceRequests?.length).toBeLessThanOrEqual(5);
      found.push(...(page.SpotInstanceRequests ?? []).map((one) => one.SpotInstanceRequestId as string));
    }
    expect(found.sort()).toEqual(made.map((one) => one.SpotInstanceRequestId).sort());
    const by = async (Name: string, ...Values: string[]) => {
      const { SpotInstanceRequests } = await ec2.client.send(
        new DescribeSpotInstanceRequestsCommand({ Filters: [{ Name, Values }, ...Filters] }),
      );
      return SpotInstanceRequests?.length;
    };
    expect(await by('instance-id', made[3]?.InstanceId as string, made[4]?.InstanceId as string)).toBe(2);
    expect(await by('status-code', 'fulfilled')).toBe(12);
    expect(await by('state', 'closed')).toBe(0);
    expect(await by('type', 'one-*')).toBe(12);
    expect((await refusal(by('colour', 'red'))).name).toBe('InvalidParameterValue');
    const unknown = refusal(ec2.request('sir-0000abcd'));
    expect(await unknown).toMatchObject({ name: 'InvalidSpotInstanceRequestID.NotFound', status: 400 });
    expect((await refusal(ec2.request('sir-x'))).name).toBe('InvalidSpotInstanceRequestID.Malformed');
  });
});

describe('an interruption', () => {
  test('that terminates shows in the request two minutes before the instance ends', async () => {
    const { InstanceId, SpotInstanceRequestId } = await running({});
    await ec2.setCapacity(false);
    expect(await ec2.statusOf(SpotInstanceRequestId)).toBe('closed instance-terminated-no-capacity');
    await ec2.advance(119);
    expect(await ec2.stateOf(InstanceId)).toBe('running');
    await ec2.advance(1);
    expect(await ec2.stateOf(InstanceId)).toBe('shutting-down');
    await ec2.advance(5);
    expect((await ec2.one(InstanceId)).StateReason?.Code).toBe('Server.SpotInstanceTermination');
    expect(await ec2.statusOf(SpotInstanceRequestId)).toBe('closed instance-terminated-no-capacity');
  });

  test('that stops does so after two minutes, and capacity starts the instance again', async () => {
    const { InstanceId, SpotInstanceRequestId, PrivateIpAddress } = await running();
    await ec2.setCapacity(false);
    expect(await ec2.statusOf(SpotInstanceRequestId)).toBe('active marked-for-stop');
    await ec2.advance(119);
    expect(await ec2.stateOf(InstanceId)).toBe('running');
    await ec2.advance(6);
    expect(await ec2.one(InstanceId)).toMatchObject({
      State: { Name: 'stopped' },
      StateReason: { Code: 'Server.SpotInstanceShutdown' },
    });
    expect(await ec2.statusOf(SpotInstanceRequestId)).toBe('disabled instance-stopped-no-capacity');
    // Only EC2 starts what EC2 stopped.
    expect((await refusal(ec2.start(InstanceId))).name).toBe('IncorrectSpotRequestState');
    await ec2.advance(3600);
    expect(await ec2.stateOf(InstanceId)).toBe('stopped');
    await ec2.setCapacity(true);
    expect(await ec2.statusOf(SpotInstanceRequestId)).toBe('active fulfilled');
    await ec2.advance(20);
    expect(await ec2.one(InstanceId)).toMatchObject({ State: { Name: 'running' }, PrivateIpAddress });
  });

  test('that hibernates gives no two minutes', async () => {
    const { InstanceId, SpotInstanceRequestId } = await running({
      ...persistent({ behavior: 'hibernate' }),
      ...ENCRYPTED_ROOT,
      HibernationOptions: { Configured: true },
    });
    await ec2.setCapacity(false);
    expect(await ec2.stateOf(InstanceId)).toBe('stopping');
    expect(await ec2.statusOf(SpotInstanceRequestId)).toBe('active marked-for-stop');
    const events = await ec2.control<{ kind: string }[]>(`/events/list?instance_id=${InstanceId}`);
    expect(events.map(({ kind }) => kind).slice(-2)).toEqual(['interruption-notice', 'instance-stopping']);
    await ec2.advance(5);
    await ec2.setCapacity(true);
    expect(await ec2.stateOf(InstanceId)).toBe('pending');
  });

  test('for a price that is passed marks the instance first', async () => {
    const InstanceType = 'g5.xlarge';
    const { pools } = await ec2.control<{
      pools: { zone: string; instance_type: string; spot_price_usd_per_hour: number }[];
    }>('/market');
    for (const { zone, instance_type, spot_price_usd_per_hour: price } of pools) {
      if (instance_type !== InstanceType || !zone.startsWith('us-east-1')) continue;
      const SpotOptions = { MaxPrice: price.toFixed(4) };
      await ec2.launch({
        ...{ InstanceType, Placement: { AvailabilityZone: zone } },
        InstanceMarketOptions: { MarketType: 'spot', SpotOptions },
      });
    }
    const marked = async () =>
      (
        await ec2.control<{ spot_request_id: string; instance_id: string; status: string }[]>(
          '/spot-requests',
        )
      ).find(({ status }) => status === 'marked-for-termination');
    let request = await marked();
    for (let step = 0; step < 600 && !request; step++) {
      await ec2.advance(100);
      request = await marked();
    }
    const { instance_id: id = '', spot_request_id } = request ?? {};
    expect(await ec2.statusOf(spot_request_id)).toBe('active marked-for-termination');
    expect(await ec2.stateOf(id)).toBe('running');
    await ec2.advance(125);
    expect(await ec2.stateOf(id)).toBe('terminated');
    expect(await ec2.statusOf(spot_request_id)).toBe('closed instance-terminated-by-price');
  });
});

describe('a persistent request', () => {
  test('launches another instance for one that was terminated, until it is cancelled', async () => {
    const tagged = { ResourceType: 'instance' as const, Tags: [{ Key: 'again', Value: 'and again' }] };
    const first = await running({
      ...persistent(),
      UserData: Buffer.from('the same').toString('base64'),
      TagSpecifications: [tagged],
      BlockDeviceMappings: [{ DeviceName: '/dev/sdf', Ebs: { VolumeSize: 33 } }],
    });
    const id = first.SpotInstanceRequestId;
    await ec2.terminate(first.InstanceId);
    expect(await ec2.statusOf(id)).toBe('open instance-terminated-by-user');
    await ec2.advance(5);
    expect(await ec2.statusOf(id)).toBe('open pending-evaluation');
    expect((await ec2.request(id)).InstanceId).toBeUndefined();
    await ec2.advance(5);
    const { InstanceId, State } = await ec2.request(id);
    expect(State).toBe('active');
    expect(InstanceId).not.toBe(first.InstanceId);
    const second = await ec2.one(InstanceId as string);
    expect(second).toMatchObject({
      ...{ SpotInstanceRequestId: id, State: { Name: 'pending' }, Tags: tagged.Tags, ImageId: first.ImageId },
      Placement: { AvailabilityZone: ZONES[1] },
    });
    expect(second.BlockDeviceMappings?.map(({ DeviceName }) => DeviceName)).toEqual([
      '/dev/xvda',
      '/dev/sdf',
    ]);
    expect(second.BlockDeviceMappings?.[0]?.Ebs?.VolumeId).not.toBe(
      first.BlockDeviceMappings?.[0]?.Ebs?.VolumeId,
    );
    await cancel(id);
    await ec2.terminate(InstanceId as string);
    await ec2.advance(600);
    expect(await ec2.statusOf(id)).toBe('cancelled instance-terminated-by-user');
    const found = await ec2.control<{ state: string; tags: Record<string, string> }[]>('/instances');
    expect(found.filter(({ tags }) => tags['again'] === 'and again').map(({ state }) => state)).toEqual([
      'terminated',
      'terminated',
    ]);
  });

  test('waits for capacity, for room and for a price, and takes what comes', async () => {
    const { InstanceId, SpotInstanceRequestId: id } = await running();
    await ec2.setCapacity(false);
    await ec2.terminate(InstanceId);
    await ec2.advance(10);
    expect(await ec2.statusOf(id)).toBe('open capacity-not-available');
    await ec2.control('/quotas', { vcpus: 0 });
    await ec2.setCapacity(true);
    expect(await ec2.statusOf(id)).toBe('open capacity-not-available');
    await ec2.control('/quotas', { vcpus: null });
    expect(await ec2.statusOf(id)).toBe('active fulfilled');
  });

  test('fails when what it launches is gone', async () => {
    const { InstanceId } = await running();
    const { ImageId } = await ec2.client.send(
      new CreateImageCommand({ InstanceId, Name: 'soon gone', NoReboot: true }),
    );
    const made = await running({ ...persistent(), ImageId });
    await ec2.client.send(new DeregisterImageCommand({ ImageId }));
    await ec2.terminate(made.InstanceId);
    await ec2.advance(10);
    expect(await ec2.statusOf(made.SpotInstanceRequestId)).toBe('failed bad-parameters');
  });

  test('that expires launches nothing more', async () => {
    const validUntil = () => new Date(Date.now() + 60_000);
    const waiting = await running(persistent({ validUntil: validUntil() }));
    await ec2.setCapacity(false);
    await ec2.terminate(waiting.InstanceId);
    await ec2.advance(61);
    expect(await ec2.statusOf(waiting.SpotInstanceRequestId)).toBe('cancelled schedule-expired');
    await ec2.setCapacity(true);
    const going = await running(persistent({ validUntil: validUntil() }));
    await ec2.advance(61);
    expect(await ec2.statusOf(going.SpotInstanceRequestId)).toBe(
      'cancelled request-canceled-and-instance-running',
    );
    expect(await ec2.stateOf(going.InstanceId)).toBe('running');
  });
});

describe('cancelling', () => {
  test('leaves a running instance, which then can’t be stopped, and is terminated when EC2 takes it', async () => {
    const { InstanceId, SpotInstanceRequestId: id } = await running();
    const { CancelledSpotInstanceRequests } = await cancel(id);
    expect(CancelledSpotInstanceRequests).toEqual([{ SpotInstanceRequestId: id, State: 'cancelled' }]);
    expect(await ec2.statusOf(id)).toBe('cancelled request-canceled-and-instance-running');
    expect(await ec2.stateOf(InstanceId)).toBe('running');
    expect((await refusal(ec2.stop(InstanceId))).name).toBe('UnsupportedOperation');
    await ec2.setCapacity(false);
    await ec2.advance(125);
    expect(await ec2.stateOf(InstanceId)).toBe('terminated');
    expect(await ec2.statusOf(id)).toBe('cancelled instance-terminated-no-capacity');
  });

  test('terminates a stopped instance', async () => {
    const { InstanceId, SpotInstanceRequestId: id } = await running();
    await ec2.stop(InstanceId);
    await ec2.advance(5);
    await cancel(id);
    expect(await ec2.stateOf(InstanceId)).toBe('shutting-down');
    expect(await ec2.statusOf(id)).toBe('cancelled instance-terminated-by-service');
  });

  test('comes before fulfilment for one that waits, and changes nothing for one that is over', async () => {
    const { InstanceId, SpotInstanceRequestId: id } = await running();
    await ec2.setCapacity(false);
    await ec2.terminate(InstanceId);
    await ec2.advance(10);
    await cancel(id);
    expect(await ec2.statusOf(id)).toBe('cancelled canceled-before-fulfillment');
    await ec2.setCapacity(true);
    await ec2.advance(60);
    expect(await ec2.statusOf(id)).toBe('cancelled canceled-before-fulfillment');
    const once = await running({});
    await ec2.terminate(once.InstanceId);
    await ec2.advance(5);
    expect((await cancel(once.SpotInstanceRequestId)).CancelledSpotInstanceRequests?.[0]?.State).toBe(
      'closed',
    );
    const both = cancel(once.SpotInstanceRequestId, 'sir-0000abcd');
    expect((await refusal(both)).name).toBe('InvalidSpotInstanceRequestID.NotFound');
  });
});

test('after kill -9 requests go on: what waits is fulfilled, what is stopped is started', async () => {
  const [waiting, off] = [await running(), await running()];
  await ec2.setCapacity(false);
  await ec2.terminate(waiting.InstanceId);
  await ec2.advance(130);
  expect(await ec2.statusOf(off.SpotInstanceRequestId)).toBe('disabled instance-stopped-no-capacity');
  await simulator.kill();
  await simulator.restart();
  expect(await ec2.statusOf(waiting.SpotInstanceRequestId)).toBe('open capacity-not-available');
  await ec2.setCapacity(true);
  expect(await ec2.statusOf(waiting.SpotInstanceRequestId)).toBe('active fulfilled');
  expect(await ec2.stateOf(off.InstanceId)).toBe('pending');
});
