/** The simulated EC2 through the real AWS SDK, its clock standing still but where a test moves it. */
import {
  CreateTagsCommand,
  DescribeAvailabilityZonesCommand,
  DescribeInstancesCommand,
  DescribeSpotPriceHistoryCommand,
  EC2Client,
  paginateDescribeInstances,
  paginateDescribeSpotPriceHistory,
  RunInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import type { Instance, RunInstancesCommandInput } from '@aws-sdk/client-ec2';
import { type Simulator, startSimulator } from '../harness/simulator';
import { control } from './simulator-control';

let simulator: Simulator;
let ec2: EC2Client;
const clients: EC2Client[] = [];

function connect(region: string): EC2Client {
  const client = new EC2Client({
    region,
    endpoint: simulator.ready.cloudUrl,
    credentials: { accessKeyId: 'AKIDTEST', secretAccessKey: 'secret' },
    maxAttempts: 1,
  });
  clients.push(client);
  return client;
}

beforeAll(async () => {
  simulator = await startSimulator(
    ...['--boot', 'none', '--paused-clock', '--synthetic', '3'],
    ...['--boot-seconds', '20', '--shutdown-seconds', '5', '--region', 'us-east-1'],
  );
  ec2 = connect('us-east-1');
});

afterAll(async () => {
  for (const client of clients) client.destroy();
  await simulator?.stop();
});

beforeEach(() => control(simulator, '/pools/give-back', {}));
afterEach(async () => {
  await control(simulator, '/faults/clear', {});
  await control(simulator, '/pools/release', { option: 'ondemand' });
});

const request = (changes: Partial<RunInstancesCommandInput> = {}): RunInstancesCommandInput => ({
  ImageId: simulator.ready.imageId,
  InstanceType: 'g5.xlarge',
  MinCount: 1,
  MaxCount: 1,
  Placement: { AvailabilityZone: 'us-east-1b' },
  InstanceMarketOptions: { MarketType: 'spot' },
  ...changes,
});
const launch = async (changes: Partial<RunInstancesCommandInput> = {}): Promise<Instance> => {
  const { Instances } = await ec2.send(new RunInstancesCommand(request(changes)));
  return Instances?.[0] as Instance;
};
const idOf = (instance: Instance) => instance.InstanceId as string;
const describe1 = async (id: string): Promise<Instance> => {
  const { Reservations } = await ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }));
  return Reservations?.[0]?.Instances?.[0] as Instance;
};
const terminate = (...ids: string[]) => ec2.send(new TerminateInstancesCommand({ InstanceIds: ids }));
const advance = (seconds: number) => control(simulator, '/clock/advance', { seconds });
const refusal = async (
  run: Promise<unknown>,
): Promise<{ name: string; status?: number; message: string }> => {
  try {
    await run;
  } catch (error) {
    const { name, message, $metadata } = error as Error & { $metadata?: { httpStatusCode?: number } };
    return { name, message, ...($metadata?.httpStatusCode && { status: $metadata.httpStatusCode }) };
  }
  throw new Error('It was not refused.');
};

describe('instances', () => {
  test('boot, run, shut down, stay visible for an hour and are gone', async () => {
    const instance = await launch({
      TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'Name', Value: 'a <b> & "c"\n' }] }],
    });
    const id = idOf(instance);
    expect(instance).toMatchObject({
      State: { Code: 0, Name: 'pending' },
      ImageId: simulator.ready.imageId,
      InstanceType: 'g5.xlarge',
      InstanceLifecycle: 'spot',
      Placement: { AvailabilityZone: 'us-east-1b' },
      Tags: [{ Key: 'Name', Value: 'a <b> & "c"\n' }],
    });
    expect(id).toMatch(/^i-[0-9a-f]{17}$/);
    expect(instance.SpotInstanceRequestId).toMatch(/^sir-[0-9a-z]{8}$/);
    expect(Math.abs((instance.LaunchTime?.getTime() ?? 0) - Date.now())).toBeLessThan(60_000);
    await advance(19);
    expect((await describe1(id)).State?.Name).toBe('pending');
    await advance(1);
    expect((await describe1(id)).State).toEqual({ Code: 16, Name: 'running' });

    const { LaunchTime } = await describe1(id);
    expect(Date.now() - (LaunchTime?.getTime() ?? 0)).toBeGreaterThanOrEqual(20_000);

    const { TerminatingInstances } = await terminate(id);
    expect(TerminatingInstances).toEqual([
      {
        InstanceId: id,
        CurrentState: { Code: 32, Name: 'shutting-down' },
        PreviousState: { Code: 16, Name: 'running' },
      },
    ]);
    await advance(5);
    const terminated = await describe1(id);
    expect(terminated).toMatchObject({
      State: { Code: 48, Name: 'terminated' },
      StateReason: { Code: 'Client.UserInitiatedShutdown' },
      StateTransitionReason: expect.stringMatching(/^User initiated \(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d GMT\)$/),
    });
    expect(terminated.PrivateIpAddress).toBeUndefined();
    expect((await terminate(id)).TerminatingInstances?.[0]?.CurrentState?.Name).toBe('terminated');
    await advance(3600);
    expect((await refusal(describe1(id))).name).toBe('InvalidInstanceID.NotFound');
  });

  test('are ended all or none: one unknown id fails the call', async () => {
    const id = idOf(await launch());
    const unknown = 'i-0123456789abcdef0';
    expect(await refusal(terminate(id, unknown))).toMatchObject({
      name: 'InvalidInstanceID.NotFound',
      message: `The instance ID '${unknown}' does not exist`,
      status: 400,
    });
    expect((await describe1(id)).State?.Name).toBe('pending');
    expect((await refusal(terminate('i-nonsense'))).name).toBe('InvalidInstanceID.Malformed');
  });

  test('are found by filter, and page by page', async () => {
    const tags = (value: string) => [
      { ResourceType: 'instance' as const, Tags: [{ Key: 'fleet', Value: value }] },
    ];
    const { Instances = [] } = await ec2.send(
      new RunInstancesCommand(request({ MinCount: 7, MaxCount: 7, TagSpecifications: tags('paged') })),
    );
    const single = idOf(await launch({ TagSpecifications: tags('other') }));
    await ec2.send(new CreateTagsCommand({ Resources: [single], Tags: [{ Key: 'added', Value: 'later' }] }));
    await terminate(idOf(Instances[0] as Instance));
    const find = async (filters: Record<string, string[]>) => {
      const found: string[] = [];
      let pages = 0;
      const Filters = Object.entries(filters).map(([Name, Values]) => ({ Name, Values }));
      for await (const page of paginateDescribeInstances({ client: ec2, pageSize: 5 }, { Filters })) {
        pages++;
        found.push(...(page.Reservations ?? []).flatMap((r) => r.Instances ?? []).map(idOf));
      }
      return { found, pages };
    };
    const all = await find({ 'tag:fleet': ['paged'] });
    expect(all.pages).toBe(2);
    expect(new Set(all.found)).toEqual(new Set(Instances.map(idOf)));
    expect(
      (await find({ 'tag:fleet': ['pa*'], 'instance-state-name': ['pending', 'running'] })).found,
    ).toHaveLength(6);
    expect((await find({ 'tag:added': ['later'] })).found).toEqual([single]);
    expect((await refusal(find({ nonsense: ['x'] }))).name).toBe('InvalidParameterValue');
  });

  test('of another region are not there', async () => {
    const id = idOf(await launch());
    const other = connect('us-west-2');
    expect((await refusal(other.send(new DescribeInstancesCommand({ InstanceIds: [id] })))).name).toBe(
      'InvalidInstanceID.NotFound',
    );
    const wrong = connect('eu-north-1').send(new DescribeInstancesCommand({}));
    expect(await refusal(wrong)).toMatchObject({ name: 'AuthFailure', status: 401 });
  });
});

describe('client tokens', () => {
  test('stand for one launch', async () => {
    const first = await launch({ ClientToken: 'token-1' });
    const second = await launch({ ClientToken: 'token-1' });
    expect(idOf(second)).toBe(idOf(first));
    expect((await launch()).ClientToken).not.toBe('token-1');
    expect(await refusal(launch({ ClientToken: 'token-1', InstanceType: 'p3.2xlarge' }))).toMatchObject({
      name: 'IdempotentParameterMismatch',
      status: 400,
    });
    await terminate(idOf(first));
    await advance(5);
    expect((await refusal(launch({ ClientToken: 'token-1' }))).name).toBe('IdempotentInstanceTerminated');
    await advance(4000);
    expect((await refusal(launch({ ClientToken: 'token-1' }))).name).toBe('IdempotentInstanceTerminated');
  });

  test('count for each zone that is named, and are not used up by a launch that failed', async () => {
    await control(simulator, '/pools/take', { zone: 'us-east-1b' });
    expect((await refusal(launch({ ClientToken: 'token-2' }))).name).toBe('InsufficientInstanceCapacity');
    const elsewhere = await launch({
      ClientToken: 'token-2',
      Placement: { AvailabilityZone: 'us-east-1c' },
    });
    await control(simulator, '/pools/give-back', {});
    expect(idOf(await launch({ ClientToken: 'token-2' }))).not.toBe(idOf(elsewhere));
  });

  test('are at most 64 characters', async () =>
    expect((await refusal(launch({ ClientToken: 'x'.repeat(65) }))).name).toBe('InvalidParameterValue'));
});

describe('capacity', () => {
  test('is gone in a pool that was taken, for spot only unless on-demand is taken too', async () => {
    await control(simulator, '/pools/take', { zone: 'us-east-1b', instance_type: 'g5.xlarge' });
    expect(await refusal(launch())).toMatchObject({
      name: 'InsufficientInstanceCapacity',
      status: 500,
    });
    expect((await launch({ InstanceType: 'p3.2xlarge' })).InstanceLifecycle).toBe('spot');
    const onDemand = await launch({ InstanceMarketOptions: undefined });
    expect(onDemand.InstanceLifecycle).toBeUndefined();
    expect((await launch({ Placement: undefined })).Placement?.AvailabilityZone).toBe('us-east-1a');
    await control(simulator, '/pools/take', { zone: 'us-east-1b', option: 'ondemand' });
    expect((await refusal(launch({ InstanceMarketOptions: undefined }))).name).toBe(
      'InsufficientInstanceCapacity',
    );
  });

  test('comes and goes with the market, which gives notice', async () => {
    const id = idOf(await launch({ Placement: { AvailabilityZone: 'us-east-1a' } }));
    await control(simulator, '/pools/release', {});
    await advance(8 * 3600);
    expect(await describe1(id).catch((error: Error) => error.name)).toBe('InvalidInstanceID.NotFound');
    const events = await control<{ kind: string; number: number; deadline?: string }[]>(
      simulator,
      `/events/list?instance_id=${id}`,
    );
    expect(events.map(({ kind }) => kind)).toEqual([
      'instance-launched',
      'instance-running',
      'interruption-notice',
      'instance-ended',
      'instance-terminated',
    ]);
  });

  test('below the price in force is refused', async () => {
    const spot = (MaxPrice: string) =>
      launch({ InstanceMarketOptions: { MarketType: 'spot', SpotOptions: { MaxPrice } } });
    expect((await refusal(spot('0.001'))).name).toBe('SpotMaxPriceTooLow');
    expect((await spot('90')).InstanceLifecycle).toBe('spot');
  });
});

describe('the market as EC2 shows it', () => {
  test('has zones', async () => {
    const { AvailabilityZones } = await ec2.send(new DescribeAvailabilityZonesCommand({}));
    expect(
      AvailabilityZones?.map((zone) => [zone.ZoneName, zone.ZoneId, zone.State, zone.RegionName]),
    ).toEqual([
      ['us-east-1a', 'use1-az1', 'available', 'us-east-1'],
      ['us-east-1b', 'use1-az2', 'available', 'us-east-1'],
      ['us-east-1c', 'use1-az3', 'available', 'us-east-1'],
    ]);
  });

  test('has a history of prices, newest first, over pages, with an empty token after the last', async () => {
    await advance(2 * 86_400);
    const ask = { InstanceTypes: ['g5.xlarge' as const], ProductDescriptions: ['Linux/UNIX'] };
    const whole = await ec2.send(new DescribeSpotPriceHistoryCommand(ask));
    expect(whole.NextToken).toBeUndefined();
    const prices = whole.SpotPriceHistory ?? [];
    expect(prices.length).toBeGreaterThan(15);
    expect(prices[0]).toMatchObject({
      InstanceType: 'g5.xlarge',
      ProductDescription: 'Linux/UNIX',
      SpotPrice: expect.stringMatching(/^\d+\.\d{6}$/),
    });
    const times = prices.map((price) => price.Timestamp?.getTime() ?? 0);
    expect(times).toEqual([...times].sort((a, b) => b - a));
    const paged = [];
    let last: string | undefined;
    // The paginator writes its tokens into what it is given.
    for await (const page of paginateDescribeSpotPriceHistory({ client: ec2, pageSize: 4 }, { ...ask })) {
      expect(page.SpotPriceHistory?.length).toBeLessThanOrEqual(4);
      paged.push(...(page.SpotPriceHistory ?? []));
      last = page.NextToken;
    }
    expect(paged).toEqual(prices);
    expect(last).toBe('');
    const inZone = { ...ask, AvailabilityZoneId: 'use1-az2' };
    const { SpotPriceHistory: ofZone = [] } = await ec2.send(new DescribeSpotPriceHistoryCommand(inZone));
    expect(ofZone).toEqual(prices.filter((price) => price.AvailabilityZone === 'us-east-1b'));
    expect(ofZone[0]?.AvailabilityZoneId).toBe('use1-az2');

    expect(times[0]).toBeLessThanOrEqual(Date.now());
    const now = await ec2.send(new DescribeSpotPriceHistoryCommand({ ...ask, StartTime: new Date() }));
    expect(now.SpotPriceHistory?.map((price) => price.AvailabilityZone).sort()).toEqual([
      'us-east-1a',
      'us-east-1b',
      'us-east-1c',
    ]);
    const token = ec2.send(new DescribeSpotPriceHistoryCommand({ ...ask, NextToken: 'nonsense' }));
    expect((await refusal(token)).name).toBe('InvalidParameterValue');
  });
});

describe('bad calls get EC2’s own refusals', () => {
  test.each<[string, Partial<RunInstancesCommandInput>]>([
    ['InvalidAMIID.NotFound', { ImageId: 'ami-0123456789abcdef0' }],
    ['InvalidAMIID.Malformed', { ImageId: 'nonsense' }],
    ['InvalidParameterValue', { InstanceType: 'x9.huge' as never }],
    ['InvalidParameterValue', { Placement: { AvailabilityZone: 'mars-1a' } }],
    ['InvalidParameterValue', { MinCount: 2 }],
    ['InvalidParameterValue', { UserData: '!not base64!' }],
    ['InvalidParameterValue', { UserData: Buffer.alloc(16_385).toString('base64') }],
    ['MissingParameter', { ImageId: undefined }],
    ['DryRunOperation', { DryRun: true }],
    ['InvalidLaunchTemplateId.Malformed', { LaunchTemplate: { LaunchTemplateId: 'lt-1' } }],
    ['InvalidParameterValue', { TagSpecifications: [{ ResourceType: 'vpc' }] }],
  ])('%s for RunInstances, case %#', async (name, changes) => {
    expect((await refusal(launch(changes))).name).toBe(name);
  });

  const signed =
    'AWS4-HMAC-SHA256 Credential=AKID/20250101/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=0';
  test.each([
    ['no signature', 403, 'MissingAuthenticationToken', 'Action=DescribeInstances', {}],
    ['a strange one', 401, 'AuthFailure', 'Action=DescribeInstances', { authorization: 'Basic x' }],
    ['no action', 400, 'MissingParameter', '', { authorization: signed }],
    ['an unknown action', 400, 'InvalidAction', 'Action=Nonsense', { authorization: signed }],
    [
      'another version',
      400,
      'InvalidAction',
      'Action=DescribeInstances&Version=2001-01-01',
      { authorization: signed },
    ],
    [
      'an unknown parameter',
      400,
      'UnknownParameter',
      'Action=DescribeInstances&A.1=x',
      { authorization: signed },
    ],
    ['a name twice', 400, 'MalformedQueryString', 'Action=A&Action=B', { authorization: signed }],
    ['binary', 400, 'MissingParameter', '\u0000\u0001%%%%ff\ud800', { authorization: signed }],
    [
      'two megabytes',
      413,
      'RequestEntityTooLarge',
      `Action=${'x'.repeat(2_000_000)}`,
      { authorization: signed },
    ],
  ])('%s', async (_, status, code, body, headers) => {
    const response = await fetch(simulator.ready.cloudUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      body,
    });
    expect(await response.text()).toMatch(
      new RegExp(
        `^<\\?xml version="1.0" encoding="UTF-8"\\?>\\n<Response><Errors><Error><Code>${code}</Code><Message>.+</Message></Error></Errors><RequestID>.+</RequestID></Response>$`,
        's',
      ),
    );
    expect(response.status).toBe(status);
  });

  test('and the control API its own', async () => {
    await expect(control(simulator, '/nonsense')).rejects.toThrow('404 There is no /nonsense here');
    await expect(control(simulator, '/market', {})).rejects.toThrow('405 /market takes GET, not POST');
    await expect(control(simulator, '/pools/take', { zone: 'x' })).rejects.toThrow('404');
    await expect(control(simulator, '/pools/take', { colour: 'x' })).rejects.toThrow('400');
    await expect(control(simulator, '/instances/i-1/notice', {})).rejects.toThrow(
      '404 There is no instance i-1',
    );
    await expect(control(simulator, '/calls/wait?timeout_seconds=0.01&action=Z')).rejects.toThrow('504');
  });
});

describe('faults', () => {
  const countOf = async (fleet: string) => {
    const Filters = [{ Name: 'tag:fleet', Values: [fleet] }];
    const { Reservations = [] } = await ec2.send(new DescribeInstancesCommand({ Filters }));
    return Reservations.length;
  };
  const tagged = (fleet: string) => ({
    TagSpecifications: [{ ResourceType: 'instance' as const, Tags: [{ Key: 'fleet', Value: fleet }] }],
  });

  test('refuse the next calls of an action, those that match', async () => {
    await control(simulator, '/faults', {
      action: 'RunInstances',
      kind: 'RequestLimitExceeded',
      count: 2,
      match: { 'Placement.AvailabilityZone': 'us-east-1a' },
    });
    await launch();
    const there = { Placement: { AvailabilityZone: 'us-east-1a' } };
    for (let call = 0; call < 2; call++) {
      expect(await refusal(launch(there))).toMatchObject({ name: 'RequestLimitExceeded', status: 503 });
    }
    await launch(there);
  });

  test('cut the connection before or after the effect', async () => {
    await control(simulator, '/faults', { action: 'RunInstances', kind: 'drop-before' });
    await refusal(launch(tagged('before')));
    expect(await countOf('before')).toBe(0);
    await control(simulator, '/faults', { action: 'RunInstances', kind: 'drop-after' });
    await refusal(launch({ ...tagged('after'), ClientToken: 'drop-after' }));
    expect(await countOf('after')).toBe(1);
    await launch({ ...tagged('after'), ClientToken: 'drop-after' });
    expect(await countOf('after')).toBe(1);
    await control(simulator, '/faults', { action: 'RunInstances', kind: 'error-after' });
    expect(await refusal(launch(tagged('error')))).toMatchObject({ name: 'Unavailable', status: 503 });
    expect(await countOf('error')).toBe(1);
  });

  test('hold a call until released, and tell that it came', async () => {
    const { number: after } = (await control<{ number: number }[]>(simulator, '/calls')).at(-1) ?? {
      number: 0,
    };
    await control(simulator, '/faults', { action: 'RunInstances', kind: 'hang' });
    const arrival = control<Record<string, unknown>>(
      simulator,
      `/calls/wait?action=RunInstances&outcome=hung&after=${after}`,
    );
    const answer = launch({ ...tagged('hung'), ClientToken: 'hung' });
    expect(await arrival).toMatchObject({
      client_token: 'hung',
      params: { InstanceType: 'g5.xlarge', 'Placement.AvailabilityZone': 'us-east-1b' },
    });
    expect(await countOf('hung')).toBe(0);
    expect(await control(simulator, '/faults/release', {})).toEqual({ released: 1 });
    expect(idOf(await answer)).toMatch(/^i-/);
    expect(await countOf('hung')).toBe(1);
    const [settled] = await control<Record<string, unknown>[]>(
      simulator,
      `/calls?action=RunInstances&after=${after}&settled=true`,
    );
    expect(settled).toMatchObject({ outcome: 'ok', region: 'us-east-1', access_key_id: 'AKIDTEST' });
  });

  test('let a caller that gave up have no effect', async () => {
    await control(simulator, '/faults', { action: 'RunInstances', kind: 'hang' });
    const abandoned = new AbortController();
    const call = ec2.send(new RunInstancesCommand(request(tagged('gone'))), {
      abortSignal: abandoned.signal,
    });
    await control(simulator, '/calls/wait?action=RunInstances&outcome=hung');
    abandoned.abort();
    await refusal(call);
    await control(simulator, '/calls/wait?action=RunInstances&outcome=abandoned');
    expect(await control(simulator, '/faults/release', {})).toEqual({ released: 0 });
    expect(await countOf('gone')).toBe(0);
  });
});
