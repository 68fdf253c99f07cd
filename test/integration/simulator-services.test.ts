/** The port that EC2, STS and the price list share: whose refusals, what permissions, rates and a slow network do to calls. */
import {
  CreateTagsCommand,
  DescribeInstancesCommand,
  EC2Client,
  RunInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import type { RunInstancesCommandInput } from '@aws-sdk/client-ec2';
import { GetProductsCommand, PricingClient } from '@aws-sdk/client-pricing';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { XMLParser } from 'fast-xml-parser';
import { type Simulator, startSimulator } from '../harness/simulator';
import { control } from './simulator-control';
import { type RawCall, refusal, Wire } from './simulator-requests';

let simulator: Simulator;
let wire: Wire;
let ec2: EC2Client;
const clients: { destroy(): void }[] = [];

function settings(accessKeyId = 'AKIDTEST') {
  return {
    region: 'us-east-1',
    endpoint: simulator.ready.cloudUrl,
    credentials: { accessKeyId, secretAccessKey: 'secret' },
    maxAttempts: 1,
  };
}
function connect(accessKeyId?: string): EC2Client {
  const client = new EC2Client(settings(accessKeyId));
  clients.push(client);
  return client;
}

beforeAll(async () => {
  simulator = await startSimulator(
    ...['--boot', 'none', '--paused-clock', '--synthetic', '3', '--boot-seconds', '0'],
    ...['--region', 'us-east-1'],
  );
  wire = new Wire(simulator.ready.cloudUrl);
  ec2 = connect();
  await control(simulator, '/pools/give-back', {});
});

afterAll(async () => {
  wire?.close();
  for (const client of clients) client.destroy();
  await simulator?.stop();
});

afterEach(async () => {
  for (const what of ['faults', 'permissions', 'throttles', 'delays']) {
    await control(simulator, `/${what}/clear`, {});
  }
});

const launch = (changes: Partial<RunInstancesCommandInput> = {}, client = ec2) =>
  client.send(
    new RunInstancesCommand({
      ImageId: simulator.ready.imageId,
      InstanceType: 'g5.xlarge',
      MinCount: 1,
      MaxCount: 1,
      ...changes,
    }),
  );
const launchOne = async () => (await launch()).Instances?.[0]?.InstanceId as string;
const describeAll = (client = ec2) => client.send(new DescribeInstancesCommand({ MaxResults: 1000 }));
const countAll = async () => (await control<unknown[]>(simulator, '/instances')).length;

describe('a refusal is in the form of the service it was meant for', () => {
  const xml = new XMLParser();
  const answer = async (call: RawCall) => {
    const { status, type, body } = await wire.send(call);
    if (type.includes('json')) return { status, ...(JSON.parse(body) as { __type: string }) };
    const parsed = xml.parse(body) as {
      Response?: { Errors: { Error: { Code: string } } };
      ErrorResponse?: { Error: { Code: string; Type: string } };
    };
    if (parsed.Response) return { status, ec2: parsed.Response.Errors.Error.Code };
    return { status, sts: parsed.ErrorResponse?.Error.Code, type: parsed.ErrorResponse?.Error.Type };
  };
  const pricing = { 'x-amz-target': 'AWSPriceListService.GetProducts' };

  test.each<[string, RawCall, object]>([
    [
      'an unsigned call',
      { service: null, body: 'Action=DescribeInstances' },
      { status: 403, ec2: 'MissingAuthenticationToken' },
    ],
    [
      'an unsigned call of STS',
      { service: null, body: 'Action=GetCallerIdentity&Version=2011-06-15' },
      { status: 403, sts: 'MissingAuthenticationToken', type: 'Sender' },
    ],
    [
      'an unsigned call of the price list',
      { service: null, headers: pricing, body: '{}' },
      { status: 400, __type: 'MissingAuthenticationTokenException' },
    ],
    [
      'a signature without scope',
      { headers: { authorization: 'AWS4-HMAC-SHA256 Credential=x' }, body: 'Action=DescribeInstances' },
      { status: 401, ec2: 'AuthFailure' },
    ],
    [
      'a call signed for another service',
      { service: 's3', body: 'Action=DescribeInstances' },
      { status: 401, ec2: 'AuthFailure' },
    ],
    [
      'another region',
      { region: 'mars-north-1', body: 'Action=DescribeInstances' },
      { status: 401, ec2: 'AuthFailure' },
    ],
    [
      'another region of STS',
      { service: 'sts', region: 'mars-north-1', body: 'Action=GetCallerIdentity' },
      { status: 403, sts: 'SignatureDoesNotMatch' },
    ],
    ['an unknown action', { body: 'Action=MakeTea' }, { status: 400, ec2: 'InvalidAction' }],
    [
      'an action of EC2 at STS',
      { service: 'sts', body: 'Action=RunInstances' },
      { status: 400, sts: 'InvalidAction' },
    ],
    ['an action of STS at EC2', { body: 'Action=AssumeRole' }, { status: 400, ec2: 'InvalidAction' }],
    [
      'an unknown target',
      { service: 'pricing', headers: { 'x-amz-target': 'AWSPriceListService.MakeTea' }, body: '{}' },
      { status: 400, __type: 'UnknownOperationException' },
    ],
    ['no action', { body: '' }, { status: 400, ec2: 'MissingParameter' }],
    ['no action at STS', { service: 'sts', body: '' }, { status: 400, sts: 'MissingAction' }],
    [
      'a parameter twice',
      { body: 'Action=DescribeInstances&Action=RunInstances' },
      { status: 400, ec2: 'MalformedQueryString' },
    ],
    [
      'a parameter that is not known',
      { body: 'Action=DescribeInstances&Milk=1' },
      { status: 400, ec2: 'UnknownParameter' },
    ],
    [
      'no JSON',
      { service: 'pricing', headers: pricing, body: '{"ServiceCode":' },
      { status: 400, __type: 'SerializationException' },
    ],
    [
      'JSON of another shape',
      { service: 'pricing', headers: pricing, body: '[1]' },
      { status: 400, __type: 'SerializationException' },
    ],
    [
      'a body too large',
      { body: `Action=${'x'.repeat(1024 * 1024)}` },
      { status: 413, ec2: 'RequestEntityTooLarge' },
    ],
    [
      'a body too large for STS',
      { service: 'sts', body: `Action=${'x'.repeat(1024 * 1024)}` },
      { status: 413, sts: 'RequestEntityTooLarge' },
    ],
    [
      'bytes',
      { body: Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 7919) % 256)) },
      { status: 400, ec2: 'MalformedQueryString' },
    ],
    [
      'another method',
      { method: 'DELETE', body: 'Action=DescribeInstances' },
      { status: 405, ec2: 'InvalidRequest' },
    ],
  ])('%s', async (_, call, expected) => expect(await answer(call)).toMatchObject(expected));
});

test('a body without end is cut off', async () => {
  const endless = Buffer.alloc(20 * 1024 * 1024, 'A');
  await expect(wire.send({ body: endless })).rejects.toThrow();
  await describeAll();
});

describe('permissions', () => {
  test('taken from everyone refuse an action in the words of EC2, and change nothing', async () => {
    const id = await launchOne();
    await control(simulator, '/permissions', { effect: 'deny', action: 'TerminateInstances' });
    const { name, status, message } = await refusal(
      ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] })),
    );
    expect([name, status]).toEqual(['UnauthorizedOperation', 403]);
    expect(message).toMatch(
      new RegExp(
        `^You are not authorized to perform this operation\\. User: arn:aws:iam::000000000000:user/AKIDTEST is not authorized to perform: ec2:TerminateInstances on resource: arn:aws:ec2:us-east-1:000000000000:instance/${id} because no identity-based policy allows the ec2:TerminateInstances action\\. Encoded authorization failure message: [\\w-]+$`,
      ),
    );
    expect((await describeAll()).Reservations?.flatMap((r) => r.Instances ?? [])).toContainEqual(
      expect.objectContaining({ InstanceId: id, State: { Code: 16, Name: 'running' } }),
    );
    // Whether the instance is there isn't told to who may not end it.
    expect(
      (await refusal(ec2.send(new TerminateInstancesCommand({ InstanceIds: ['i-0123456789abcdef0'] })))).name,
    ).toBe('UnauthorizedOperation');
  });

  test('of reading name no resource', async () => {
    await control(simulator, '/permissions', { effect: 'deny', action: 'ec2:Describe*', explicit: true });
    expect(await refusal(describeAll())).toEqual({
      name: 'UnauthorizedOperation',
      status: 403,
      message:
        'You are not authorized to perform this operation. User: arn:aws:iam::000000000000:user/AKIDTEST is not authorized to perform: ec2:DescribeInstances with an explicit deny in an identity-based policy',
    });
    await launch();
  });

  test('are of one caller, and the newest rule holds', async () => {
    const other = connect('AKIDOTHER');
    await control(simulator, '/permissions', { effect: 'deny', action: '*', principal: 'AKIDOTHER' });
    expect((await refusal(launch({}, other))).name).toBe('UnauthorizedOperation');
    await launch();
    await control(simulator, '/permissions', {
      effect: 'allow',
      action: 'ec2:Describe*',
      principal: 'arn:aws:iam::000000000000:user/AKIDOTHER',
    });
    await describeAll(other);
    expect((await refusal(launch({}, other))).message).toContain('instance/* because no identity-based');
  });

  test('of STS and the price list are refused in their words', async () => {
    const sts = new STSClient(settings());
    const pricing = new PricingClient(settings());
    clients.push(sts, pricing);
    await control(simulator, '/permissions', { effect: 'deny', action: '*' });
    expect((await sts.send(new GetCallerIdentityCommand({}))).Arn).toMatch(/user\/AKIDTEST$/);
    expect(await refusal(pricing.send(new GetProductsCommand({ ServiceCode: 'AmazonEC2' })))).toEqual({
      name: 'AccessDeniedException',
      status: 400,
      message:
        'User: arn:aws:iam::000000000000:user/AKIDTEST is not authorized to perform: pricing:GetProducts because no identity-based policy allows the pricing:GetProducts action',
    });
  });

  test('come before the answer of a dry run, which changes nothing', async () => {
    const before = await countAll();
    expect(await refusal(launch({ DryRun: true }))).toEqual({
      name: 'DryRunOperation',
      status: 412,
      message: 'Request would have succeeded, but DryRun flag is set.',
    });
    const read = () => refusal(ec2.send(new DescribeInstancesCommand({ DryRun: true })));
    expect((await read()).name).toBe('DryRunOperation');
    expect((await refusal(launch({ DryRun: true, InstanceType: 'g5.tiny' as never }))).name).toBe(
      'InvalidParameterValue',
    );
    await control(simulator, '/permissions', { effect: 'deny', action: '*' });
    expect([(await refusal(launch({ DryRun: true }))).name, (await read()).name]).toEqual([
      'UnauthorizedOperation',
      'UnauthorizedOperation',
    ]);
    await control(simulator, '/permissions/clear', {});
    expect(await countAll()).toBe(before);
  });
});

describe('rates', () => {
  test('are EC2’s documented ones: requests and the instances they are about, refilled with time', async () => {
    await control(simulator, '/throttles/documented', { on: true });
    for (let call = 0; call < 5; call++) await launch();
    const before = await countAll();
    expect(await refusal(launch())).toEqual({
      name: 'RequestLimitExceeded',
      status: 503,
      message: 'Request limit exceeded.',
    });
    expect(await countAll()).toBe(before);
    await describeAll();
    await control(simulator, '/clock/advance', { seconds: 1 });
    await launch();
    await launch();
    expect((await refusal(launch())).name).toBe('RequestLimitExceeded');
    await control(simulator, '/clock/advance', { seconds: 60 });
    const resources = { action: 'RunInstances', kind: 'resource', capacity: 3, refill_per_second: 0 };
    await control(simulator, '/throttles', resources);
    expect((await refusal(launch({ MinCount: 1, MaxCount: 4 }))).name).toBe('RequestLimitExceeded');
    await launch({ MinCount: 3, MaxCount: 3 });
    expect((await refusal(launch())).name).toBe('RequestLimitExceeded');
    await control(simulator, '/throttles/documented', { on: false });
  });

  test('can be set by action', async () => {
    await control(simulator, '/throttles', { action: 'CreateTags', capacity: 1, refill_per_second: 0 });
    const id = await launchOne();
    const tag = () => ec2.send(new CreateTagsCommand({ Resources: [id], Tags: [{ Key: 'a', Value: 'b' }] }));
    await tag();
    expect((await refusal(tag())).name).toBe('RequestLimitExceeded');
    await control(simulator, '/throttles', {
      action: 'pricing:GetProducts',
      capacity: 0,
      refill_per_second: 0,
    });
    const pricing = new PricingClient(settings());
    clients.push(pricing);
    expect(await refusal(pricing.send(new GetProductsCommand({ ServiceCode: 'AmazonEC2' })))).toMatchObject({
      name: 'ThrottlingException',
      status: 400,
    });
    await control(simulator, '/throttles/clear', {});
    await tag();
  });
});

describe('a slow network', () => {
  const calls = (path: string) =>
    control<{ number: number; outcome: string }>(simulator, `/calls/wait?timeout_seconds=10&${path}`);
  const lastCall = async () =>
    (await control<{ number: number }[]>(simulator, '/calls')).at(-1)?.number as number;

  test('keeps a call on its way although its caller has given up', async () => {
    await control(simulator, '/delays', { service: 'ec2', action: 'RunInstances', before_seconds: 0.3 });
    const before = await countAll();
    const from = await lastCall();
    const impatient = new AbortController();
    const launching = ec2.send(
      new RunInstancesCommand({
        ImageId: simulator.ready.imageId,
        InstanceType: 'g5.xlarge',
        MinCount: 1,
        MaxCount: 1,
      }),
      { abortSignal: impatient.signal },
    );
    await calls(`action=RunInstances&after=${from}`);
    impatient.abort();
    await expect(launching).rejects.toThrow();
    expect(await countAll()).toBe(before);
    expect((await calls(`action=RunInstances&settled=true&after=${from}`)).outcome).toBe('ok');
    expect(await countAll()).toBe(before + 1);
  });

  test('keeps answers, of the service and action it is set for', async () => {
    await control(simulator, '/delays', { service: 'ec2', after_seconds: 1.5, jitter_seconds: 0.1 });
    await control(simulator, '/delays', { service: 'ec2', action: 'DescribeInstances' });
    const time = async (run: () => Promise<unknown>) => {
      const start = performance.now();
      await run();
      return performance.now() - start;
    };
    expect(await time(launch)).toBeGreaterThan(1_495);
    expect(await time(describeAll)).toBeLessThan(1_500);
    await control(simulator, '/delays/clear', {});
    expect(await time(launch)).toBeLessThan(1_500);
  });
});

test('a server error after the effect is of the code and status that was asked for', async () => {
  const before = await countAll();
  for (const [fault, name, status] of [
    [{}, 'Unavailable', 503],
    [{ status: 500 }, 'InternalError', 500],
    [{ code: 'ServiceUnavailable' }, 'ServiceUnavailable', 503],
  ] as const) {
    await control(simulator, '/faults', { action: 'RunInstances', kind: 'error-after', ...fault });
    expect(await refusal(launch())).toMatchObject({ name, status });
  }
  expect(await countAll()).toBe(before + 3);
});

test('what the control API has set holds over a kill', async () => {
  await control(simulator, '/permissions', { effect: 'deny', action: 'CreateTags' });
  await control(simulator, '/throttles', { action: 'RunInstances', capacity: 0, refill_per_second: 0 });
  await control(simulator, '/delays', { service: 'imds', before_seconds: 0.01 });
  await control(simulator, '/faults', { action: 'DescribeInstances', kind: 'Unavailable', count: 2 });
  expect((await refusal(describeAll())).name).toBe('Unavailable');
  await simulator.restart();
  expect((await refusal(describeAll())).name).toBe('Unavailable');
  await describeAll();
  expect((await refusal(launch())).name).toBe('RequestLimitExceeded');
  const denied = ec2.send(
    new CreateTagsCommand({ Resources: ['i-0123456789abcdef0'], Tags: [{ Key: 'a', Value: 'b' }] }),
  );
  expect((await refusal(denied)).name).toBe('UnauthorizedOperation');
  expect(await control(simulator, '/delays')).toEqual([
    expect.objectContaining({ service: 'imds', before_seconds: 0.01 }),
  ]);
});
