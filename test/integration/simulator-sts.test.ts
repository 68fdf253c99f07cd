/** The simulated STS through the real SDK: whose keys they are, what they are good for, and for how long. */
import { DescribeInstancesCommand, EC2Client } from '@aws-sdk/client-ec2';
import { GetProductsCommand, PricingClient } from '@aws-sdk/client-pricing';
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import type { AssumeRoleCommandInput, Credentials } from '@aws-sdk/client-sts';
import { fromTemporaryCredentials } from '@aws-sdk/credential-providers';
import { type Simulator, startSimulator } from '../harness/simulator';
import { control } from './simulator-control';
import { refusal } from './simulator-requests';

const ROLE = 'arn:aws:iam::111122223333:role/spotkeeper/worker';
const SESSION = 'arn:aws:sts::111122223333:assumed-role/worker/agent-7';
const PLAIN = { accessKeyId: 'AKIDTEST', secretAccessKey: 'secret' };

let simulator: Simulator;
let sts: STSClient;
const clients: { destroy(): void }[] = [];

type Keys = { accessKeyId: string; secretAccessKey: string; sessionToken?: string };
function connect<C extends { destroy(): void }>(
  Client: new (settings: { region: string; endpoint: string; credentials: Keys; maxAttempts: number }) => C,
  credentials: Keys = PLAIN,
): C {
  const endpoint = simulator.ready.cloudUrl;
  const client = new Client({ region: 'us-east-1', endpoint, credentials, maxAttempts: 1 });
  clients.push(client);
  return client;
}
const keysOf = ({ AccessKeyId, SecretAccessKey, SessionToken }: Credentials = {} as Credentials): Keys => ({
  accessKeyId: AccessKeyId as string,
  secretAccessKey: SecretAccessKey as string,
  sessionToken: SessionToken as string,
});
const assume = (changes: Partial<AssumeRoleCommandInput> = {}, client = sts) =>
  client.send(
    new AssumeRoleCommand({
      RoleArn: ROLE,
      RoleSessionName: 'agent-7',
      ExternalId: 'join-4711',
      ...changes,
    }),
  );
const describe1 = (keys: Keys) => connect(EC2Client, keys).send(new DescribeInstancesCommand({}));
const advance = (seconds: number) => control(simulator, '/clock/advance', { seconds });

beforeAll(async () => {
  simulator = await startSimulator(
    ...['--boot', 'none', '--paused-clock', '--synthetic', '3', '--region', 'us-east-1'],
  );
  sts = connect(STSClient);
  await control(simulator, '/roles', { arn: ROLE, external_id: 'join-4711', max_session_seconds: 7200 });
});
afterAll(async () => {
  for (const client of clients) client.destroy();
  await simulator?.stop();
});

test('plain keys are a user’s', async () => {
  const { Arn, Account, UserId } = await sts.send(new GetCallerIdentityCommand({}));
  expect({ Arn, Account }).toEqual({
    Arn: 'arn:aws:iam::000000000000:user/AKIDTEST',
    Account: '000000000000',
  });
  expect(UserId).toMatch(/^AIDA[A-Z2-7]{17}$/);
});

test('a role’s keys are its session’s until they expire, at every service', async () => {
  const { Credentials, AssumedRoleUser } = await assume({ DurationSeconds: 900 });
  expect(AssumedRoleUser).toEqual({
    Arn: SESSION,
    AssumedRoleId: expect.stringMatching(/^AROA[A-Z2-7]{17}:agent-7$/),
  });
  expect(Credentials?.AccessKeyId).toMatch(/^ASIA[A-Z2-7]{16}$/);
  expect(Credentials?.SecretAccessKey).toHaveLength(40);
  const lifetime = (Credentials?.Expiration?.getTime() ?? 0) - Date.now();
  expect(lifetime / 1000).toBeGreaterThan(880);
  expect(lifetime / 1000).toBeLessThanOrEqual(900);

  const keys = keysOf(Credentials);
  const own = connect(STSClient, keys);
  expect(await own.send(new GetCallerIdentityCommand({}))).toMatchObject({
    Arn: SESSION,
    Account: '111122223333',
    UserId: AssumedRoleUser?.AssumedRoleId,
  });
  const products = () =>
    connect(PricingClient, keys).send(new GetProductsCommand({ ServiceCode: 'AmazonEC2' }));
  await describe1(keys);
  await products();
  const calls = await control<{ principal: string }[]>(simulator, '/calls?action=DescribeInstances');
  expect(calls.at(-1)?.principal).toBe(SESSION);

  await advance(899);
  await describe1(keys);
  await advance(2);
  expect(await refusal(describe1(keys))).toEqual({
    name: 'RequestExpired',
    message: 'Request has expired.',
    status: 400,
  });
  expect(await refusal(own.send(new GetCallerIdentityCommand({})))).toEqual({
    name: 'ExpiredToken',
    message: 'The security token included in the request is expired',
    status: 403,
  });
  expect(await refusal(products())).toMatchObject({ name: 'ExpiredTokenException', status: 400 });
});

test('keys without their token, with another’s or with one that was touched are nobody’s', async () => {
  const keys = keysOf((await assume()).Credentials);
  const other = keysOf((await assume()).Credentials);
  expect(other.accessKeyId).not.toBe(keys.accessKeyId);
  const token = keys.sessionToken as string;
  const claim = Buffer.from(token.split('.')[0] as string, 'base64url').toString();
  const forged = Buffer.from(claim.replace('worker', 'master')).toString('base64url');
  for (const wrong of [
    { ...keys, sessionToken: undefined },
    { ...keys, sessionToken: other.sessionToken },
    { ...keys, sessionToken: `${forged}.${token.split('.')[1]}` },
    { ...keys, sessionToken: 'nonsense' },
    { ...PLAIN, sessionToken: token },
  ] as Keys[]) {
    expect(await refusal(describe1(wrong))).toMatchObject({
      name: 'AuthFailure',
      message: 'AWS was not able to validate the provided access credentials',
      status: 401,
    });
    expect(await refusal(connect(STSClient, wrong).send(new GetCallerIdentityCommand({})))).toMatchObject({
      name: 'InvalidClientTokenId',
      message: 'The security token included in the request is invalid.',
      status: 403,
    });
    const priced = connect(PricingClient, wrong).send(new GetProductsCommand({ ServiceCode: 'AmazonEC2' }));
    expect((await refusal(priced)).name).toBe('UnrecognizedClientException');
  }
});

describe('a role is refused', () => {
  const denied = (role = ROLE) => ({
    name: 'AccessDenied',
    message: `User: arn:aws:iam::000000000000:user/AKIDTEST is not authorized to perform: sts:AssumeRole on resource: ${role}`,
    status: 403,
  });

  test('with the same words whether its external id is wrong, missing, or it isn’t there', async () => {
    expect(await refusal(assume({ ExternalId: 'join-4712' }))).toEqual(denied());
    expect(await refusal(assume({ ExternalId: undefined }))).toEqual(denied());
    const unknown = 'arn:aws:iam::111122223333:role/nobody';
    expect(await refusal(assume({ RoleArn: unknown }))).toEqual(denied(unknown));
  });

  test('to whom it doesn’t trust', async () => {
    const picky = 'arn:aws:iam::111122223333:role/picky';
    await control(simulator, '/roles', { arn: picky, trusted: [ROLE] });
    const input = { RoleArn: picky, ExternalId: undefined };
    expect(await refusal(assume(input))).toEqual(denied(picky));
    const worker = connect(STSClient, keysOf((await assume()).Credentials));
    expect((await assume(input, worker)).AssumedRoleUser?.Arn).toContain('assumed-role/picky/');
    expect((await refusal(assume({ ...input, DurationSeconds: 3601 }, worker))).message).toBe(
      'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining',
    );
  });

  test('to whom the permission was taken', async () => {
    await control(simulator, '/permissions', { effect: 'deny', action: 'sts:AssumeRole' });
    expect(await refusal(assume())).toEqual(denied());
    await control(simulator, '/permissions/clear', {});
    await assume();
  });

  test.each<[Partial<AssumeRoleCommandInput>, string]>([
    [
      { DurationSeconds: 899 },
      "1 validation error detected: Value '899' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900",
    ],
    [
      { DurationSeconds: 43_201 },
      "1 validation error detected: Value '43201' at 'durationSeconds' failed to satisfy constraint: Member must have value less than or equal to 43200",
    ],
    [
      { DurationSeconds: 7201 },
      'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
    ],
    [
      { RoleSessionName: 'a b' },
      "1 validation error detected: Value 'a b' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*",
    ],
    [
      { RoleSessionName: undefined as never, ExternalId: 'x' },
      "2 validation errors detected: Value null at 'roleSessionName' failed to satisfy constraint: Member must not be null; Value 'x' at 'externalId' failed to satisfy constraint: Member must have length greater than or equal to 2",
    ],
    [{ RoleArn: 'arn:aws:iam::1:user/nobody' }, 'arn:aws:iam::1:user/nobody is invalid'],
  ])('when it is asked for with %j', async (changes, message) => {
    expect(await refusal(assume(changes))).toEqual({ name: 'ValidationError', message, status: 400 });
  });
});

test('permissions can be a role’s alone', async () => {
  const keys = keysOf((await assume()).Credentials);
  await control(simulator, '/permissions', { effect: 'deny', action: 'ec2:*', principal: ROLE });
  const { message } = await refusal(describe1(keys));
  expect(message).toContain(`User: ${SESSION} is not authorized to perform: ec2:DescribeInstances because`);
  await describe1(PLAIN);
  await control(simulator, '/permissions/clear', {});
});

test('the SDK’s own provider of temporary credentials works, and roles and keys hold over a kill', async () => {
  const provider = fromTemporaryCredentials({
    masterCredentials: PLAIN,
    params: { RoleArn: ROLE, RoleSessionName: 'agent-7', ExternalId: 'join-4711' },
    clientConfig: { region: 'us-east-1', endpoint: simulator.ready.cloudUrl },
  });
  const keys = (await provider()) as Keys;
  await simulator.restart();
  await describe1(keys);
  await assume();
  await control(simulator, '/roles/delete', { arn: ROLE });
  expect((await refusal(assume())).name).toBe('AccessDenied');
});
