/** Nothing that is sent to the simulated cloud makes it fail: a seeded storm of half-right requests, each answered in form. */
import { readFileSync } from 'node:fs';
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { ACTIONS } from '../../simulator/ec2/actions';
import { seededRandom } from '../../simulator/market/random';
import { type Simulator, startSimulator } from '../harness/simulator';
import { control } from './simulator-control';
import { type RawCall, type Reply, Wire } from './simulator-requests';

const SEED = 20_250_704;
const REQUESTS = 1500;

let simulator: Simulator;
let wire: Wire;

beforeAll(async () => {
  simulator = await startSimulator(
    ...['--boot', 'none', '--paused-clock', '--synthetic', '3', '--boot-seconds', '0'],
    ...['--region', 'us-east-1'],
  );
  wire = new Wire(simulator.ready.cloudUrl);
  await control(simulator, '/pools/give-back', {});
});
afterAll(async () => {
  wire?.close();
  await simulator?.stop();
});

const xml = new XMLParser();

/** The code of a refusal, or `ok`. @throws Error when the answer isn't in its service's form. */
function codeOf({ status, type, body }: Reply, action: string): string {
  if (type.includes('json')) {
    const { __type } = JSON.parse(body) as { __type?: string };
    if (status === 200) return 'ok';
    if (__type === undefined) throw new Error(`A refusal without a type: ${body}`);
    return __type;
  }
  const valid = XMLValidator.validate(body);
  if (valid !== true) throw new Error(`No XML: ${valid.err.msg} in ${body}`);
  const parsed = xml.parse(body) as Record<string, Record<string, unknown> | undefined>;
  if (status === 200) {
    if (parsed[`${action}Response`] === undefined) throw new Error(`Not the answer of ${action}: ${body}`);
    return 'ok';
  }
  const errors = parsed['Response']?.['Errors'] ?? parsed['ErrorResponse'];
  const { Code, Message } = (errors as { Error: { Code?: unknown; Message?: unknown } }).Error;
  if (typeof Code !== 'string' || Message === undefined) throw new Error(`Not a refusal: ${body}`);
  return Code;
}

const form = (parameters: readonly (readonly [string, string])[]): string =>
  parameters.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&');

interface Things {
  instances: string[];
  volumes: string[];
  snapshots: string[];
  images: string[];
  requests: string[];
}

async function things(): Promise<Things> {
  const list = async (path: string, id: string) =>
    (await control<Record<string, string>[]>(simulator, path)).slice(-5).map((thing) => thing[id] as string);
  return {
    instances: await list('/instances', 'instance_id'),
    volumes: await list('/volumes', 'volume_id'),
    snapshots: await list('/snapshots', 'snapshot_id'),
    images: [simulator.ready.imageId, ...(await list('/images', 'image_id'))],
    requests: await list('/spot-requests', 'spot_request_id'),
  };
}

/** What each parameter may sensibly be, so that requests get past the first checks. */
function sensible(name: string, pick: <T>(from: readonly T[]) => T, known: Things): string | null {
  const plain = name.replace(/\.\d+/g, '');
  switch (plain.split('.').at(-1)) {
    case 'InstanceId':
      return pick([...known.instances, 'i-0123456789abcdef0']);
    case 'VolumeId':
      return pick([...known.volumes, 'vol-0123456789abcdef0']);
    case 'SnapshotId':
      return pick([...known.snapshots, 'snap-0123456789abcdef0']);
    case 'ImageId':
      return pick([...known.images, 'ami-0123456789abcdef0']);
    case 'SpotInstanceRequestId':
      return pick([...known.requests, 'sir-0123abcd']);
    case 'ResourceId':
    case 'Resource':
      return pick([...known.instances, ...known.volumes, ...known.images, ...known.requests]);
    case 'LaunchTemplateName':
      return pick(['template-a', 'template-b', 'template-c']);
    case 'Attribute':
      return pick(['userData', 'disableApiStop', 'instanceType']);
    case 'Type':
      return 'instant';
    case 'SpotInstanceType':
      return pick(['persistent', 'one-time']);
    case 'InstanceInterruptionBehavior':
      return pick(['stop', 'terminate', 'hibernate']);
    case 'TotalTargetCapacity':
      return '1';
    case 'InstanceType':
      return pick(['g5.xlarge', 'p3.2xlarge']);
    case 'AvailabilityZone':
    case 'ZoneName':
      return pick(['us-east-1a', 'us-east-1b']);
    case 'MinCount':
    case 'MaxCount':
      return '1';
    case 'Size':
    case 'VolumeSize':
      return pick(['8', '100']);
    case 'MarketType':
      return 'spot';
    case 'Device':
    case 'DeviceName':
      return pick(['/dev/sdf', '/dev/xvdb']);
    case 'Key':
    case 'Name':
    case 'Description':
    case 'ClientToken':
      return pick(['tag:a', 'name', 'instance-state-name', 'state']);
    case 'ResourceType':
      return pick(['instance', 'volume', 'image', 'snapshot']);
    default:
      return null;
  }
}

const HOSTILE = [
  ...[
    '',
    '0',
    '-1',
    '2',
    '007',
    '1e9',
    '99999999999999999999',
    'NaN',
    '1.5',
    'true',
    'TRUE',
    'null',
    '__proto__',
  ],
  ...[
    'constructor',
    '../../etc/passwd',
    '<b>&amp;',
    ']]>',
    '\u0000\u001f\ufffe',
    '😀'.repeat(50),
    '%',
    '%zz',
    '*',
  ],
  ...[
    '(((((((((((((((((((((((((((((',
    '2025-02-31T99:99:99Z',
    'i-',
    'ami-xyz',
    'x'.repeat(5000),
    ' ',
    '\r\n',
    '+',
  ],
];
const DEEPER = [
  '',
  '.1',
  '.1',
  '.2',
  '.1.Name',
  '.1.Value.1',
  '.1.Key',
  '.1.Value',
  '.1.Ebs.VolumeSize',
  '.Name',
];
const ODD_NAMES = ['.0', '.999999999', '.x', '.1.1.1.1', '.__proto__', '..', '.-1'];
const FLEET = [
  'LaunchTemplateConfigs.1.LaunchTemplateSpecification.LaunchTemplateName',
  'LaunchTemplateConfigs.1.Overrides.1.InstanceType',
  'TargetCapacitySpecification.TotalTargetCapacity',
];
/** Without these an action doesn't get far. */
const NEEDED: Readonly<Record<string, readonly string[]>> = {
  RunInstances: ['ImageId', 'InstanceType', 'MinCount', 'MaxCount'],
  TerminateInstances: ['InstanceId.1'],
  StopInstances: ['InstanceId.1'],
  StartInstances: ['InstanceId.1'],
  RebootInstances: ['InstanceId.1'],
  ModifyInstanceAttribute: ['InstanceId', 'DisableApiStop.Value'],
  DescribeInstanceAttribute: ['InstanceId', 'Attribute'],
  CreateFleet: ['Type', ...FLEET],
  CreateLaunchTemplate: ['LaunchTemplateName', 'LaunchTemplateData.ImageId'],
  CreateLaunchTemplateVersion: ['LaunchTemplateName', 'LaunchTemplateData.ImageId'],
  DeleteLaunchTemplate: ['LaunchTemplateName'],
  CancelSpotInstanceRequests: ['SpotInstanceRequestId.1'],
  CreateImage: ['InstanceId', 'Name'],
  DeregisterImage: ['ImageId'],
  CreateSnapshot: ['VolumeId'],
  CreateSnapshots: ['InstanceSpecification.InstanceId'],
  DeleteSnapshot: ['SnapshotId'],
  CreateVolume: ['AvailabilityZone', 'Size'],
  DeleteVolume: ['VolumeId'],
  AttachVolume: ['VolumeId', 'InstanceId', 'Device'],
  DetachVolume: ['VolumeId'],
  CreateTags: ['ResourceId.1', 'Tag.1.Key', 'Tag.1.Value'],
  DeleteTags: ['ResourceId.1', 'Tag.1.Key'],
  DisableImage: ['ImageId'],
  EnableImage: ['ImageId'],
};

/** Makes requests by a seed: mostly right, wrong somewhere. */
function makeStorm(random: () => number) {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const value = (name: string, known: Things): string =>
    (random() < 0.7 ? sensible(name, pick, known) : null) ?? pick(HOSTILE);

  const ec2 = (known: Things): { action: string; parameters: [string, string][] } => {
    const action = pick([...ACTIONS.keys()]);
    const names = [...(NEEDED[action] ?? [])];
    const taken = ACTIONS.get(action)?.parameters ?? [];
    for (let more = Math.floor(random() * 4); more > 0; more--) {
      names.push(pick(taken) + pick(random() < 0.15 ? ODD_NAMES : DEEPER));
    }
    const parameters = names.map((name): [string, string] => [
      name,
      random() < 0.85 ? (sensible(name, pick, known) ?? value(name, known)) : value(name, known),
    ]);
    if (random() < 0.1) parameters.splice(Math.floor(random() * parameters.length), 1);
    if (random() < 0.03 && parameters[0]) parameters.push(parameters[0]);
    if (random() < 0.03) parameters.push([pick(HOSTILE), pick(HOSTILE)]);
    return { action, parameters };
  };

  const call = (known: Things): { action: string; call: RawCall } => {
    const kind = random();
    if (kind < 0.08) {
      const action = pick(['AssumeRole', 'GetCallerIdentity', 'GetSessionToken']);
      const names = [
        'RoleArn',
        'RoleSessionName',
        'ExternalId',
        'DurationSeconds',
        'Tags.member.1.Key',
        'Policy',
      ];
      const parameters = names.filter(() => random() < 0.6).map((name) => [name, pick(HOSTILE)] as const);
      const body = form([['Action', action], ['Version', '2011-06-15'], ...parameters]);
      return { action, call: { service: 'sts', body } };
    }
    if (kind < 0.16) {
      const action = pick(['GetProducts', 'DescribeServices', 'GetAttributeValues', 'MakeTea']);
      const odd = [
        null,
        1,
        'AmazonEC2',
        'AmazonEC2',
        true,
        [],
        {},
        [[[[[[[[[[1]]]]]]]]]],
        [{ Type: 1 }],
        ...HOSTILE,
      ];
      const fields = ['ServiceCode', 'Filters', 'MaxResults', 'NextToken', 'FormatVersion', 'AttributeName'];
      const input = Object.fromEntries(
        fields.filter(() => random() < 0.5).map((field) => [field, pick(odd)]),
      );
      const text = JSON.stringify(input);
      const body = random() < 0.1 ? text.slice(0, Math.floor(random() * text.length)) : text;
      const headers = { 'x-amz-target': `AWSPriceListService.${action}` };
      return { action, call: { service: 'pricing', headers, body } };
    }
    if (kind < 0.2) {
      const bytes = Buffer.from(Array.from({ length: 300 }, () => Math.floor(random() * 256)));
      return { action: '', call: { body: Buffer.concat([Buffer.from('Action='), bytes]) } };
    }
    const { action, parameters } = ec2(known);
    const body = form([['Action', action], ['Version', '2016-11-15'], ...parameters]);
    if (random() < 0.05) return { action, call: { method: 'GET', path: `/?${body}` } };
    if (random() < 0.05) {
      const authorization = `AWS4-HMAC-SHA256 Credential=${encodeURI(pick(HOSTILE))}/1/us-east-1/ec2/aws4_request`;
      return { action, call: { headers: { authorization }, body } };
    }
    return { action, call: { body } };
  };
  return { ec2, call };
}

/** Some of everything, all of it finished. */
async function seed(): Promise<void> {
  const image = simulator.ready.imageId;
  await wire.send({
    body: `Action=RunInstances&ImageId=${image}&InstanceType=g5.xlarge&MinCount=2&MaxCount=2&Placement.AvailabilityZone=us-east-1a`,
  });
  await wire.send({ body: 'Action=CreateVolume&AvailabilityZone=us-east-1a&Size=8' });
  await control(simulator, '/clock/advance', { seconds: 600 });
  const { instances, volumes } = await things();
  await wire.send({ body: `Action=CreateSnapshot&VolumeId=${volumes.at(-1)}` });
  const name = `image-${instances.at(-1)}`;
  await wire.send({ body: `Action=CreateImage&InstanceId=${instances.at(-1)}&Name=${name}` });
  await control(simulator, '/clock/advance', { seconds: 3600 });
}

test('each answer is in form, none says that the cloud itself failed, and it goes on serving', async () => {
  await seed();
  const storm = makeStorm(seededRandom(SEED));
  const codes = new Map<string, number>();
  let known = await things();
  for (let count = 0; count < REQUESTS; count++) {
    if (count % 50 === 0) known = await things();
    const { action, call } = storm.call(known);
    const reply = await wire.send(call);
    const code = codeOf(reply, action);
    codes.set(code, (codes.get(code) ?? 0) + 1);
    if (/^Internal/.test(code)) throw new Error(`${code} for ${String(call.body ?? call.path)}`);
  }
  // The storm gets through: it isn't refused for one and the same thing.
  expect(codes.get('ok')).toBeGreaterThan(REQUESTS / 10);
  expect(codes.size).toBeGreaterThan(15);
  expect(codeOf(await wire.send({ body: 'Action=DescribeInstances' }), 'DescribeInstances')).toBe('ok');
  expect(readFileSync(simulator.logFile, 'utf8')).not.toContain('"level":50');
});

test('no dry run of any action changes anything', async () => {
  await seed();
  const storm = makeStorm(seededRandom(SEED + 1));
  const known = await things();
  const all = async () =>
    JSON.stringify(
      await Promise.all(
        ['/instances', '/volumes', '/snapshots', '/images', '/spot-requests'].map((path) =>
          control<unknown>(simulator, path),
        ),
      ),
    );
  const before = await all();
  const succeeding = new Set<string>();
  for (let count = 0; count < 600; count++) {
    const { action, parameters } = storm.ec2(known);
    const asked = parameters.filter(([name]) => name !== 'DryRun');
    const body = form([['Action', action], ...asked, ['DryRun', 'true']]);
    const code = codeOf(await wire.send({ body }), action);
    expect(code).not.toBe('ok');
    if (code === 'DryRunOperation') succeeding.add(action);
  }
  expect(await all()).toBe(before);
  expect(succeeding.size).toBeGreaterThan(ACTIONS.size * 0.7);
});

const RUN = 'Action=RunInstances&ImageId=ami-0123456789abcdef0&MinCount=1&MaxCount=1&InstanceType=g5.xlarge';
const PROFILE = 'arn:aws:iam::000000000000:instance-profile/';

test.each([
  ['user data of line breaks', `${RUN}&UserData=${encodeURIComponent(`${'\n'.repeat(60_000)}!`)}`],
  [
    'the path of a profile',
    `${RUN}&IamInstanceProfile.Arn=${encodeURIComponent(`${PROFILE}${'a/'.repeat(27)}!`)}`,
  ],
  [
    'a filter of wild cards',
    `Action=DescribeImages&Filter.1.Name=name&Filter.1.Value.1=${'*a'.repeat(500)}b`,
  ],
])('%s that would take long to read is answered at once', async (_, body) => {
  const start = performance.now();
  await wire.send({ body });
  expect(performance.now() - start).toBeLessThan(2_000);
});

test.each([['0@1e999'], ['0@-1e300'], ['0@9e20'], ['0@1.2.3'], ['1@'], ['x']])(
  'the page token %s is none',
  async (text) => {
    const token = Buffer.from(text).toString('base64url');
    const reply = await wire.send({ body: `Action=DescribeSpotPriceHistory&NextToken=${token}` });
    expect(codeOf(reply, 'DescribeSpotPriceHistory')).toBe('InvalidParameterValue');
  },
);

test('an id of any text is refused in form by who lacks the permission', async () => {
  await control(simulator, '/permissions', { effect: 'deny', action: '*' });
  try {
    for (const id of ['constructor-1', '__proto__-1', '-', 'i-', '']) {
      const reply = await wire.send({ body: `Action=TerminateInstances&InstanceId.1=${id}` });
      expect(codeOf(reply, 'TerminateInstances')).toBe('UnauthorizedOperation');
    }
  } finally {
    await control(simulator, '/permissions/clear', {});
  }
});
