/** What an instance's metadata holds because its launch asked for it: tags, and the keys of its profile's role. */
import { EC2Client, RunInstancesCommand } from '@aws-sdk/client-ec2';
import type { RunInstancesCommandInput } from '@aws-sdk/client-ec2';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { fromInstanceMetadata } from '@aws-sdk/credential-providers';
import { type Simulator, startSimulator } from '../harness/simulator';
import { control, type InstanceView, metadata } from './simulator-control';

let simulator: Simulator;
let ec2: EC2Client;

beforeAll(async () => {
  simulator = await startSimulator(
    ...['--boot', 'none', '--paused-clock', '--synthetic', '3', '--boot-seconds', '0'],
    ...['--region', 'us-east-1'],
  );
  ec2 = new EC2Client({
    region: 'us-east-1',
    endpoint: simulator.ready.cloudUrl,
    credentials: { accessKeyId: 'AKIDTEST', secretAccessKey: 'secret' },
    maxAttempts: 1,
  });
  await control(simulator, '/pools/give-back', {});
});
afterAll(async () => {
  ec2?.destroy();
  await simulator?.stop();
});

async function launch(changes: Partial<RunInstancesCommandInput> = {}): Promise<string> {
  const { Instances } = await ec2.send(
    new RunInstancesCommand({
      ImageId: simulator.ready.imageId,
      InstanceType: 'g5.xlarge',
      MinCount: 1,
      MaxCount: 1,
      InstanceMarketOptions: { MarketType: 'spot' },
      ...changes,
    }),
  );
  return Instances?.[0]?.InstanceId as string;
}
const endpointOf = (id: string) => `${simulator.ready.imdsUrl}/${id}`;
const read = (id: string, document: string) => metadata(endpointOf(id), document);
const advance = (seconds: number) => control(simulator, '/clock/advance', { seconds });

test('tags are there only when the launch asked for them, as they are now', async () => {
  const tags = [{ Key: 'Fleet.name', Value: 'grün <b>' }];
  const id = await launch({
    MetadataOptions: { InstanceMetadataTags: 'enabled' },
    TagSpecifications: [{ ResourceType: 'instance', Tags: tags }],
  });
  expect((await read(id, 'meta-data/tags/instance/')).text).toBe('Fleet.name');
  expect((await read(id, 'meta-data/tags/instance/Fleet.name')).text).toBe('grün <b>');
});

describe('an instance with a profile', () => {
  let id: string;
  let document: () => Promise<Record<string, string>>;
  beforeAll(async () => {
    id = await launch({ IamInstanceProfile: { Name: 'worker' } });
    document = async () =>
      JSON.parse((await read(id, 'meta-data/iam/security-credentials/worker')).text) as Record<
        string,
        string
      >;
  });

  test('has its role’s keys, which the SDK finds and STS knows', async () => {
    expect((await read(id, 'meta-data/iam/security-credentials/')).text).toBe('worker');
    expect(JSON.parse((await read(id, 'meta-data/iam/info')).text)).toMatchObject({
      Code: 'Success',
      InstanceProfileArn: 'arn:aws:iam::000000000000:instance-profile/worker',
    });
    const view = await control<InstanceView>(simulator, `/instances/${id}`);
    const before = process.env['AWS_EC2_METADATA_SERVICE_ENDPOINT'];
    process.env['AWS_EC2_METADATA_SERVICE_ENDPOINT'] = view.metadata_url;
    try {
      const sts = new STSClient({
        region: 'us-east-1',
        endpoint: simulator.ready.cloudUrl,
        credentials: fromInstanceMetadata({ timeout: 5000 }),
      });
      const { Arn } = await sts.send(new GetCallerIdentityCommand({}));
      sts.destroy();
      expect(Arn).toBe(`arn:aws:sts::000000000000:assumed-role/worker/${id}`);
    } finally {
      if (before === undefined) delete process.env['AWS_EC2_METADATA_SERVICE_ENDPOINT'];
      else process.env['AWS_EC2_METADATA_SERVICE_ENDPOINT'] = before;
    }
  });

  test('gets new ones long before the old ones run out', async () => {
    const first = await document();
    expect(await document()).toEqual(first);
    await advance(3600);
    const second = await document();
    expect(second['AccessKeyId']).not.toBe(first['AccessKeyId']);
    const left = (Date.parse(second['Expiration'] as string) - Date.now()) / 1000;
    expect(left).toBeGreaterThan(4 * 3600);
    const use = (keys: Record<string, string>) => {
      const client = new STSClient({
        region: 'us-east-1',
        endpoint: simulator.ready.cloudUrl,
        maxAttempts: 1,
        credentials: {
          accessKeyId: keys['AccessKeyId'] as string,
          secretAccessKey: keys['SecretAccessKey'] as string,
          sessionToken: keys['Token'] as string,
        },
      });
      return client.send(new GetCallerIdentityCommand({})).finally(() => client.destroy());
    };
    await use(first);
    await advance(6 * 3600);
    await expect(use(first)).rejects.toMatchObject({ name: 'ExpiredToken' });
  });
});
