/** A worker serves the steps at EC2 of the account that AWS STS names, and of no other. */
import { readFile } from 'node:fs/promises';
import { ec2TaskQueue } from '../../contracts/ids';
import { createTestDatabase, type TestDatabase } from '../harness/database';
import { startProcess, type TestProcess } from '../harness/processes';
import { testServers } from '../harness/servers';
import { type Simulator, startSimulator } from '../harness/simulator';
import { connectTemporal, type TemporalClient, uniqueAccount, uniqueTaskQueue } from '../harness/temporal';
import { until } from '../harness/until';
import { control } from './simulator-control';

const account = uniqueAccount();
let simulator: Simulator;
let database: TestDatabase;
let temporal: TemporalClient;
let worker: TestProcess | undefined;

beforeAll(async () => {
  [simulator, database, temporal] = await Promise.all([
    startSimulator('--boot', 'none', '--paused-clock', '--synthetic', '3', '--account', account),
    createTestDatabase(),
    connectTemporal(),
  ]);
});
afterAll(async () => {
  await simulator?.stop();
  await temporal?.close();
  await database?.drop();
});
afterEach(async () => {
  await worker?.stop();
  worker = undefined;
  await control(simulator, '/faults/clear', {});
});

const settings = (env: NodeJS.ProcessEnv = {}) => ({
  DATABASE_URL: database.url,
  TEMPORAL_ADDRESS: testServers().temporalAddress,
  TASK_QUEUE: uniqueTaskQueue(),
  AWS_ACCOUNT_ID: account,
  AWS_REGIONS: 'us-east-1',
  AWS_ENDPOINT_URL: simulator.ready.cloudUrl,
  AWS_ACCESS_KEY_ID: 'test',
  AWS_SECRET_ACCESS_KEY: 'test',
  API_PUBLIC_URL: 'http://127.0.0.1:9',
  ...env,
});

async function serves(accountId: string, region = 'us-east-1'): Promise<boolean> {
  const { pollers } = await temporal.client.workflowService.describeTaskQueue({
    namespace: 'default',
    taskQueue: { name: ec2TaskQueue(accountId, region) },
    taskQueueType: 2, // Activities.
  });
  return (pollers ?? []).length > 0;
}

/** The worker's first question, with the one repeat of its client, gets no answer. */
const stsIsAway = () =>
  control(simulator, '/faults', { action: 'GetCallerIdentity', kind: 'ServiceUnavailable', count: 2 });

test('the right account is served', async () => {
  worker = await startProcess('worker', settings());
  await until('the account is served', () => serves(account), 10_000);
});

test('another account is refused before anything starts, with both accounts named', async () => {
  const other = uniqueAccount();
  await expect(startProcess('worker', settings({ AWS_ACCOUNT_ID: other }))).rejects.toThrow(
    new RegExp(`exit code 2[^]*AWS_ACCOUNT_ID[^]*"${other}"[^]*account ${account}`),
  );
});

test('nothing is served while STS gives no answer, and the account is once it does', async () => {
  await stsIsAway();
  worker = await startProcess('worker', settings({ AWS_REGIONS: 'us-west-2' }));
  expect(await serves(account, 'us-west-2')).toBe(false);
  await until('the account is served', () => serves(account, 'us-west-2'), 15_000);
  expect(await readFile(worker.logFile, 'utf8')).toMatch(/no step at EC2 is taken until AWS STS names/);
});

test('a worker that learns late that its credentials are another account’s ends, having served nothing', async () => {
  const other = uniqueAccount();
  await stsIsAway();
  worker = await startProcess('worker', settings({ AWS_ACCOUNT_ID: other }));
  expect(await worker.exited()).toMatchObject({ code: 2 });
  worker = undefined;
  expect(await serves(other)).toBe(false);
});

describe('a role to take on', () => {
  const role = { arn: `arn:aws:iam::${account}:role/spotkeeper`, external_id: 'between-us' };
  const assume = (externalId: string) =>
    settings({ ASSUME_ROLE_ARN: role.arn, ASSUME_ROLE_EXTERNAL_ID: externalId });

  beforeAll(() => control(simulator, '/roles', role));

  test('counts with its account', async () => {
    const other = { arn: `arn:aws:iam::${uniqueAccount()}:role/spotkeeper`, external_id: role.external_id };
    await control(simulator, '/roles', other);
    const start = startProcess('worker', {
      ...assume(role.external_id),
      ASSUME_ROLE_ARN: other.arn,
    });
    await expect(start).rejects.toThrow(/AWS_ACCOUNT_ID[^]*assumed-role\/spotkeeper/);
  });

  test('is served once it can be taken on, and its refusal names what is missing', async () => {
    worker = await startProcess('worker', assume('another'));
    const logs = (text: RegExp) =>
      until(`its log says ${text}`, async () => text.test(await readFile(worker!.logFile, 'utf8')), 15_000);
    await logs(/AccessDenied[^]*Allow sts:AssumeRole[^]*"accountProven":false/);
    await control(simulator, '/roles', { ...role, external_id: 'another' });
    await logs(/the credentials are those of the account/);
  });
});
