/**
 * `npx spotkeeper cloud --json` under clients that are not ours: boto3 and the AWS CLI, unchanged, told by the variables
 * that they know where the cloud is. The cloud boots, shuts down, makes images and shows them at once, so they need not wait.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { newStateFolder } from '../harness/launcher';
import { isolated, pythonEnvironment } from '../harness/python-environment';
import { ROOT } from '../harness/servers';
import { MARK_VARIABLE, testFile } from '../harness/test-file';

const INSTALLING_MS = 180_000;
const TYPE = 'g5.xlarge';
const WHO = { account: '000000000000', arn: 'arn:aws:iam::000000000000:user/AKIDFOREIGN' };

let cloud: ChildProcess;
let ready: { cloudUrl: string; controlUrl: string; region: string; imageId: string };
let python: string;
/** All that a client is given. */
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  ({ python } = await pythonEnvironment());
  const home = newStateFolder('home');
  const flags = ['--boot', 'none', '--state', newStateFolder('cloud'), '--region', 'us-east-1'];
  const instant = ['boot', 'shutdown', 'image', 'snapshot', 'volume', 'consistency'].flatMap((what) => [
    `--${what}-seconds`,
    '0',
  ]);
  cloud = spawn(
    process.execPath,
    [path.join(ROOT, 'bin', 'spotkeeper.mjs'), 'cloud', '--json', ...flags, ...instant],
    {
      env: { ...process.env, [MARK_VARIABLE]: testFile().mark, LOG_LEVEL: 'warn' },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const [line] = (await Promise.race([
    once(createInterface(cloud.stdout!), 'line'),
    once(cloud, 'exit').then(([code]) => {
      throw new Error(`The cloud ended with exit code ${code} before it served.`);
    }),
  ])) as [string];
  ready = JSON.parse(line) as typeof ready;
  await fetch(`${ready.controlUrl}/pools/give-back`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  env = {
    PATH: process.env.PATH,
    HOME: home, // A person's own ~/.aws is none of their business.
    [MARK_VARIABLE]: testFile().mark,
    AWS_ENDPOINT_URL: ready.cloudUrl,
    AWS_DEFAULT_REGION: ready.region,
    AWS_ACCESS_KEY_ID: 'AKIDFOREIGN',
    AWS_SECRET_ACCESS_KEY: 'secret',
    AWS_PAGER: '',
  };
}, INSTALLING_MS);

afterAll(async () => {
  if (cloud === undefined) return;
  const closed = once(cloud, 'close');
  cloud.kill('SIGTERM');
  expect(await closed).toEqual([0, null]);
});

async function run(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(python, ['-I', ...args], { env: isolated(env) });
  return stdout;
}

describe('boto3', () => {
  let found: Record<string, Record<string, unknown>>;
  beforeAll(async () => {
    found = JSON.parse(
      await run(path.join(__dirname, 'boto3-session.py'), ready.imageId, TYPE),
    ) as typeof found;
  });

  test('launches a spot instance with tags, waits for it, tags it, terminates it, waits again', () => {
    expect(found['life']).toEqual({
      launched: { Code: 0, Name: 'pending' },
      running: { Code: 16, Name: 'running' },
      lifecycle: 'spot',
      request: expect.stringMatching(/^sir-[0-9a-z]{8}$/),
      launch_time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$/),
      tags: { Name: 'from boto3 <&>', step: '2' },
      terminating: { Code: 16, Name: 'running' },
      terminated: { Code: 48, Name: 'terminated' },
    });
  });

  test('pages through what it launched', () => {
    expect(found['pages']).toEqual({ pages: 3, all_seen: true });
  });

  test('makes an image, waits for it, and launches from it', () => {
    expect(found['an_image']).toEqual({ ids: true, state: 'available', copied: true });
  });

  test('stops, starts and protects', () => {
    expect(found['stop_and_start']).toEqual({
      stopped: 'stopped',
      reason: 'Client.UserInitiatedShutdown',
      same_private_address: true,
      protected: 'OperationNotPermitted',
    });
  });

  test('makes a volume, attaches it, keeps it in a snapshot, detaches and deletes it, waiting each time', () => {
    expect(found['a_volume']).toEqual({ devices: 2, attached: true });
  });

  test('asks for spot instances to stay, and cancels; asks for a fleet at once', () => {
    expect(found['spot_requests']).toEqual({ type: 'persistent', state: 'active', cancelled: 'cancelled' });
    expect(found['a_fleet']).toEqual({ launched: 2, errors: [] });
    expect(found['instance_types']).toEqual({ types: [TYPE], usages: ['on-demand', 'spot'] });
  });

  test('reads spot prices, as many as it wants', () => {
    expect(found['spot_prices']).toEqual({ count: 5, pages: 3, priced: true, zones_known: true });
  });

  test('finds its type in the price list, and learns who it is, at the same address', () => {
    expect(found['price_list']).toEqual({ types: [TYPE], highest_is_a_price: true });
    expect(found['identity']).toEqual(WHO);
  });

  test('understands refusals', () => {
    const refusal = (code: string, status = 400) => ({
      code,
      status,
      has_message: true,
      has_request_id: true,
    });
    expect(found['refusals']).toEqual({
      dry_run: refusal('DryRunOperation', 412),
      unknown_instance: refusal('InvalidInstanceID.NotFound'),
      malformed_id: refusal('InvalidInstanceID.Malformed'),
      unknown_image: refusal('InvalidAMIID.NotFound'),
      unknown_action: refusal('InvalidAction'),
      unknown_filter: refusal('InvalidParameterValue'),
    });
  });
});

describe('the AWS CLI', () => {
  const aws = (...args: string[]) => run('-m', 'awscli', ...args);
  const awsJson = async <T>(...args: string[]) => JSON.parse(await aws(...args, '--output', 'json')) as T;
  const failure = async (...args: string[]): Promise<{ code: number; stderr: string }> => {
    try {
      await aws(...args);
    } catch (error) {
      return error as { code: number; stderr: string };
    }
    throw new Error('The command did not fail.');
  };
  const launch = ['ec2', 'run-instances', '--instance-type', TYPE, '--image-id'];

  test('launches, waits, images, waits, terminates, waits', async () => {
    const { Instances } = await awsJson<{ Instances: { InstanceId: string }[] }>(
      ...[...launch, ready.imageId, '--count', '1'],
      ...['--instance-market-options', 'MarketType=spot,SpotOptions={SpotInstanceType=one-time}'],
      ...['--tag-specifications', 'ResourceType=instance,Tags=[{Key=Name,Value=from the CLI}]'],
      ...['--user-data', '#!/bin/sh'],
    );
    const id = Instances[0]!.InstanceId;
    await aws('ec2', 'wait', 'instance-running', '--instance-ids', id);
    const query = 'Reservations[].Instances[].[State.Name,InstanceLifecycle,Tags[0].Value]';
    const described = ['ec2', 'describe-instances', '--instance-ids', id, '--output', 'text', '--query'];
    expect(await aws(...described, query)).toBe('running\tspot\tfrom the CLI\n');
    const made = ['ec2', 'create-image', '--instance-id', id, '--name', 'made by the CLI', '--no-reboot'];
    const { ImageId } = await awsJson<{ ImageId: string }>(...made);
    await aws('ec2', 'wait', 'image-available', '--image-ids', ImageId);
    await aws('ec2', 'terminate-instances', '--instance-ids', id);
    await aws('ec2', 'wait', 'instance-terminated', '--instance-ids', id);
    expect(await aws(...described, query)).toMatch(/^terminated/);
  });

  test('pages through what it launched, and gets them all', async () => {
    const tags = 'ResourceType=instance,Tags=[{Key=fleet,Value=cli}]';
    await aws(...launch, ready.imageId, '--count', '7', '--tag-specifications', tags);
    const page = ['ec2', 'describe-instances', '--filters', 'Name=tag:fleet,Values=cli'];
    interface Page {
      Reservations: { Instances: { InstanceId: string }[] }[];
    }
    const ids = ({ Reservations }: Page) =>
      Reservations.flatMap(({ Instances }) => Instances).map(({ InstanceId }) => InstanceId);
    const all = ids(await awsJson<Page>(...page));
    const first = await awsJson<Page>(...page, '--page-size', '5');
    expect(new Set(all).size).toBe(7);
    expect(ids(first).sort()).toEqual(all.sort());
  });

  test('reads spot prices, as many as it wants and from where it stopped', async () => {
    interface Prices {
      SpotPriceHistory: { SpotPrice: string; Timestamp: string }[];
      NextToken?: string;
    }
    const history = ['ec2', 'describe-spot-price-history', '--max-items', '2'];
    const first = await awsJson<Prices>(...history);
    const second = await awsJson<Prices>(...history, '--starting-token', first.NextToken!);
    expect(first.SpotPriceHistory).toHaveLength(2);
    expect(second.SpotPriceHistory).toHaveLength(2);
    expect(second.SpotPriceHistory).not.toEqual(first.SpotPriceHistory);
  });

  test('asks who it is, and what a type costs, at the same address', async () => {
    const filter = `Type=TERM_MATCH,Field=instanceType,Value=${TYPE}`;
    const products = ['pricing', 'get-products', '--service-code', 'AmazonEC2', '--filters', filter];
    const [identity, { PriceList }] = await Promise.all([
      awsJson<{ Account: string; Arn: string }>('sts', 'get-caller-identity'),
      awsJson<{ PriceList: string[] }>(...products, '--max-items', '1'),
    ]);
    expect({ account: identity.Account, arn: identity.Arn }).toEqual(WHO);
    expect(JSON.parse(PriceList[0]!)).toMatchObject({ product: { attributes: { instanceType: TYPE } } });
  });

  test('says what was refused', async () => {
    const [dryRun, unknown] = await Promise.all([
      failure(...launch, ready.imageId, '--dry-run'),
      failure('ec2', 'describe-instances', '--instance-ids', 'i-0123456789abcdef0'),
    ]);
    expect(dryRun.stderr).toMatch(/An error occurred \(DryRunOperation\) when calling the RunInstances/);
    expect(unknown.stderr).toMatch(/\(InvalidInstanceID\.NotFound\) when calling the DescribeInstances/);
  });
});
