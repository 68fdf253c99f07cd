/** What became of a launch whose answer was lost, and of an instance too new for EC2 to show: against a simulated EC2. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createEc2Activities } from '../../activities/ec2-activities';
import { TERMINATION_CAP } from '../../db/stop-guards';
import { AwsCloud } from '../../cloud/aws-cloud';
import type { Ec2Activities, LaunchRequest } from '../../contracts/activities';
import { failureTypes } from '../../contracts/activities';
import { connectDatabase, type Db } from '../../db/connect';
import { notFoundMeansGone } from '../../db/instances';
import { launchIsOpen } from '../../db/launch-intents';
import { createTestDatabase, type TestDatabase } from '../harness/database';
import { seedClient } from '../harness/seed';
import { type Simulator, startSimulator } from '../harness/simulator';
import { useCloud } from '../harness/workers';
import { control } from './simulator-control';

const ZONE = 'us-east-1b';

let simulator: Simulator;
let database: TestDatabase;
let db: Db;
let cloud: AwsCloud;
let activities: Ec2Activities;

beforeAll(async () => {
  [simulator, database] = await Promise.all([
    startSimulator('--boot', 'none', '--paused-clock', '--synthetic', '3', '--region', 'us-east-1'),
    createTestDatabase(),
  ]);
  await seedClient(database.url, 'c1');
  db = connectDatabase(database.url, 'spotkeeper_worker');
  useCloud(simulator.ready.cloudUrl);
  cloud = new AwsCloud({ region: 'us-east-1', timeoutMs: 1_000 });
  activities = createEc2Activities({
    cloud,
    db,
    apiPublicUrl: 'http://127.0.0.1:9',
    terminationCap: TERMINATION_CAP,
  });
});
afterAll(async () => {
  cloud?.destroy();
  await db?.destroy();
  await database?.drop();
  await simulator?.stop();
});
beforeEach(() => control(simulator, '/pools/give-back', {}));
afterEach(async () => {
  await control(simulator, '/faults/clear', {});
  await control(simulator, '/faults/release', {});
});

let launches = 0;

function launchRequest(): LaunchRequest {
  launches++;
  return {
    clientId: 'c1',
    agentId: 'a1',
    logicalAgentId: 'web-1',
    accountId: simulator.ready.accountId,
    region: 'us-east-1',
    switchNumber: launches,
    attempt: 1,
    toIncarnation: 2,
    launchId: `launch-${launches}`,
    pool: { instanceType: 'g5.xlarge', zone: ZONE, option: 'spot' },
    imageId: simulator.ready.imageId,
  };
}

/** As one attempt of Temporal's, with this much time. */
function attempt<R>(run: () => Promise<R>, { seconds = 60, number = 1 } = {}): Promise<R> {
  const environment = new MockActivityEnvironment(
    { startToCloseTimeoutMs: seconds * 1000, attempt: number },
    { logger: new DefaultLogger('ERROR') },
  );
  return environment.run(run);
}

const fault = (action: string, kind: string, count = 1) =>
  control(simulator, '/faults', { action, kind, count });

async function instancesOf({ launchId }: LaunchRequest): Promise<string[]> {
  const found = await cloud.instances.findByTags({ 'spotkeeper:launch-id': launchId });
  return found.map(({ instanceId }) => instanceId);
}

async function tokensSent(after: number): Promise<(string | null)[]> {
  const calls = await control<{ number: number; client_token: string | null }[]>(
    simulator,
    `/calls?action=RunInstances&after=${after}`,
  );
  return calls.map((call) => call.client_token);
}

async function callsSoFar(): Promise<number> {
  return (await control<{ number: number }[]>(simulator, '/calls')).at(-1)?.number ?? 0;
}

describe('a launch whose answer is lost', () => {
  it.each([['drop-after'], ['error-after'], ['hang-after'], ['drop-before']])(
    'by %s is asked again with its token, and gives one instance',
    async (kind) => {
      const request = launchRequest();
      const before = await callsSoFar();
      await fault('RunInstances', kind);
      const result = await attempt(() => activities.launchInstance(request));
      expect(result).toMatchObject({ outcome: 'launched' });
      expect(await instancesOf(request)).toEqual([(result as { instanceId: string }).instanceId]);
      const tokens = await tokensSent(before);
      expect(tokens).toHaveLength(2);
      expect(new Set(tokens).size).toBe(1);
      expect(tokens[0]).toMatch(/^[0-9a-f]{64}$/);
    },
  );

  it.each([['drop-after'], ['error-after'], ['hang-after']])(
    'by %s is found by its tag when EC2 then has no capacity',
    async (kind) => {
      const request = launchRequest();
      await fault('RunInstances', kind);
      await fault('RunInstances', 'InsufficientInstanceCapacity');
      const result = await attempt(() => activities.launchInstance(request));
      expect(result).toMatchObject({ outcome: 'launched' });
      expect(await instancesOf(request)).toEqual([(result as { instanceId: string }).instanceId]);
    },
  );

  it('is found by its tag though EC2 shows it late', async () => {
    const request = launchRequest();
    await fault('RunInstances', 'drop-after');
    await fault('RunInstances', 'InsufficientInstanceCapacity');
    // The client asks a look twice, so this is one look of the three.
    await fault('DescribeInstances', 'Unavailable', 1);
    expect(await attempt(() => activities.launchInstance(request))).toMatchObject({ outcome: 'launched' });
  });

  it('leaves the pool only after a look has shown nothing', async () => {
    const request = launchRequest();
    await control(simulator, '/pools/take', { zone: ZONE });
    await fault('RunInstances', 'drop-before');
    const before = await callsSoFar();
    expect(await attempt(() => activities.launchInstance(request))).toMatchObject({ outcome: 'no_capacity' });
    const looks = await control<unknown[]>(simulator, `/calls?action=DescribeInstances&after=${before}`);
    expect(looks).toHaveLength(3);
    expect(await instancesOf(request)).toEqual([]);
  });

  it('is not looked for when the very first answer is a refusal', async () => {
    await control(simulator, '/pools/take', { zone: ZONE });
    const before = await callsSoFar();
    const result = await attempt(() => activities.launchInstance(launchRequest()));
    expect(result).toMatchObject({ outcome: 'no_capacity' });
    expect(await control(simulator, `/calls?action=DescribeInstances&after=${before}`)).toEqual([]);
  });

  it('stays in doubt over attempts: the next one does not take a refusal at its word', async () => {
    const request = launchRequest();
    await fault('RunInstances', 'drop-after');
    const first = attempt(() => activities.launchInstance(request), { seconds: 5 });
    await expect(first).rejects.toMatchObject({ type: failureTypes.retry });
    const [launched] = await instancesOf(request);
    await fault('RunInstances', 'InsufficientInstanceCapacity');
    const second = await attempt(() => activities.launchInstance(request), { number: 2 });
    expect(second).toEqual({ outcome: 'launched', instanceId: launched });
  });

  it('is found afterwards, when its attempts have run out', async () => {
    const request = launchRequest();
    const { launchId, accountId, region } = request;
    const find = () => attempt(() => activities.findLaunch({ launchId, accountId, region }));
    await fault('RunInstances', 'drop-after');
    await expect(attempt(() => activities.launchInstance(request), { seconds: 5 })).rejects.toMatchObject({
      type: failureTypes.retry,
    });
    expect([(await find()).instanceId]).toEqual(await instancesOf(request));
  });

  it('is looked for once if it was refused, and more often if nobody knows', async () => {
    const looksFor = async (seconds: number, kind: string) => {
      const request = launchRequest();
      const { launchId, accountId, region } = request;
      await fault('RunInstances', kind);
      await expect(attempt(() => activities.launchInstance(request), { seconds })).rejects.toThrow();
      const before = await callsSoFar();
      expect(await attempt(() => activities.findLaunch({ launchId, accountId, region }))).toEqual({
        instanceId: null,
      });
      return control<unknown[]>(simulator, `/calls?action=DescribeInstances&after=${before}`);
    };
    expect(await looksFor(60, 'UnauthorizedOperation')).toHaveLength(1);
    expect(await looksFor(5, 'drop-before')).toHaveLength(3);
  });

  it('stays open when the look for it is refused', async () => {
    const request = launchRequest();
    const { launchId, accountId, region } = request;
    await fault('RunInstances', 'drop-after');
    await fault('RunInstances', 'InsufficientInstanceCapacity');
    await fault('DescribeInstances', 'UnauthorizedOperation');
    const first = attempt(() => activities.launchInstance(request));
    await expect(first).rejects.toMatchObject({ type: failureTypes.notPermitted });
    const find = () => attempt(() => activities.findLaunch({ launchId, accountId, region }));
    // As one that nobody knows of, so it is looked for until EC2 shows it.
    expect(await launchIsOpen(db, launchId)).toBe(true);
    expect([(await find()).instanceId]).toEqual(await instancesOf(request));
    expect(await launchIsOpen(db, launchId)).toBe(false);
  });

  it('is taken over when a release sends it otherwise than the one before', async () => {
    const request = launchRequest();
    const first = await attempt(() => activities.launchInstance(request));
    await fault('RunInstances', 'IdempotentParameterMismatch');
    expect(await attempt(() => activities.launchInstance(request), { number: 2 })).toEqual(first);
  });
});

describe('an instance that EC2 does not show yet', () => {
  const unknown = (action: string) => fault(action, 'InvalidInstanceID.NotFound', 9);
  const address = (request: LaunchRequest, instanceId: string) => ({
    ...{ clientId: 'c1', agentId: 'a1', instanceId },
    ...{ accountId: request.accountId, region: request.region },
  });

  async function launched() {
    const request = launchRequest();
    const result = await attempt(() => activities.launchInstance(request));
    if (result.outcome !== 'launched') throw new Error(result.message);
    return { ...address(request, result.instanceId), reason: 'a test' };
  }

  it('is not gone, and not proven terminated', async () => {
    const instance = await launched();
    await unknown('DescribeInstances');
    expect(await attempt(() => activities.lookUpInstance(instance))).toMatchObject({ sighting: 'not_found' });
    expect(await notFoundMeansGone(db, 'c1', instance.instanceId)).toBe(false);
    await expect(attempt(() => activities.proveTerminated(instance))).rejects.toMatchObject({
      type: failureTypes.notTerminatedYet,
    });
  });

  it('is asked again to end, and ends once EC2 knows it', async () => {
    const instance = await launched();
    await fault('TerminateInstances', 'InvalidInstanceID.NotFound', 1);
    const first = attempt(() => activities.terminateInstance(instance));
    await expect(first).rejects.toMatchObject({ type: failureTypes.retry });
    const second = await attempt(() => activities.terminateInstance(instance), { number: 2 });
    expect(second).toEqual({ outcome: 'requested' });
    // Its answer is no look either.
    await unknown('DescribeInstances');
    await expect(attempt(() => activities.proveTerminated(instance))).rejects.toMatchObject({
      type: failureTypes.notTerminatedYet,
    });
  });

  it('is left to a later attempt, and reported, when EC2 goes on not knowing it', async () => {
    const instance = await launched();
    await unknown('TerminateInstances');
    const last = await attempt(() => activities.terminateInstance(instance), { number: 7 });
    expect(last).toMatchObject({ outcome: 'failed' });
    const events = await db
      .selectFrom('system_events')
      .select(['severity', 'event_type'])
      .where('instance_id', '=', instance.instanceId)
      .execute();
    expect(events).toEqual([{ severity: 'warning', event_type: 'instance_termination_failed' }]);
  });

  it('is not gone when the look after the first one misses it', async () => {
    const instance = await launched();
    expect(await attempt(() => activities.lookUpInstance(instance))).toMatchObject({ sighting: 'running' });
    await unknown('DescribeInstances');
    await expect(attempt(() => activities.proveTerminated(instance))).rejects.toMatchObject({
      type: failureTypes.notTerminatedYet,
    });
  });

  it('is gone when EC2 knows it no more after a look has shown it for a minute', async () => {
    const instance = await launched();
    expect(await attempt(() => activities.lookUpInstance(instance))).toMatchObject({ sighting: 'running' });
    await db
      .updateTable('instances')
      .set({ seen_at: new Date(Date.now() - 61_000) })
      .where('id', '=', instance.instanceId)
      .execute();
    await unknown('DescribeInstances');
    await unknown('TerminateInstances');
    expect(await attempt(() => activities.terminateInstance(instance))).toEqual({ outcome: 'requested' });
    expect((await attempt(() => activities.proveTerminated(instance))).message).toMatch(/does not know it/);
  });

  it('is gone when EC2 knows it no more an hour after its launch', async () => {
    const instance = await launched();
    await db
      .updateTable('instances')
      .set({ created_at: new Date(Date.now() - 3_601_000) })
      .where('id', '=', instance.instanceId)
      .execute();
    await unknown('TerminateInstances');
    expect(await attempt(() => activities.terminateInstance(instance))).toEqual({ outcome: 'requested' });
  });
});
