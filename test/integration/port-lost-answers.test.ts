/** What the port makes of answers that are lost, late or refused for now: against a simulated EC2 and STS. */
import { AwsCloud } from '../../cloud/aws-cloud';
import { templateName } from '../../cloud/aws-fleet';
import { type Simulator, startSimulator } from '../harness/simulator';
import { launch } from '../harness/launch';
import { useCloud } from '../harness/workers';
import { control } from './simulator-control';

const ZONE = 'us-east-1b';

let simulator: Simulator;
let cloud: AwsCloud;

beforeAll(async () => {
  simulator = await startSimulator(
    ...['--boot', 'none', '--synthetic', '3', '--region', 'us-east-1', '--boot-seconds', '0'],
    ...['--image-seconds', '0', '--consistency-seconds', '0'],
  );
  useCloud(simulator.ready.cloudUrl);
  cloud = new AwsCloud({ region: 'us-east-1', timeoutMs: 1_000 });
  await control(simulator, '/pools/give-back', {});
});
afterAll(async () => {
  cloud?.destroy();
  await simulator?.stop();
});
afterEach(async () => {
  await control(simulator, '/faults/clear', {});
  await control(simulator, '/faults/release', {});
});

const fault = (action: string, kind: string, count = 1) =>
  control(simulator, '/faults', { action, kind, count });

async function imageSpec(name: string) {
  const { InstanceId: instanceId } = await launch(simulator.ready, { zone: ZONE, option: 'ondemand' });
  return { instanceId, name, noReboot: true, tags: {} };
}

describe('an image', () => {
  it.each([['drop-after'], ['error-after'], ['hang-after']])(
    'whose answer is lost by %s is found',
    async (kind) => {
      const spec = await imageSpec(`lost by ${kind}`);
      await fault('CreateImage', kind);
      expect(await cloud.images.create(spec)).toMatchObject({ created: false, image: { name: spec.name } });
    },
  );

  it('whose name is taken and which is not shown yet is asked for again', async () => {
    const spec = await imageSpec('not shown yet');
    await fault('CreateImage', 'InvalidAMIName.Duplicate');
    await expect(cloud.images.create(spec)).rejects.toMatchObject({ kind: 'retry', ambiguous: false });
    expect(await cloud.images.create(spec)).toMatchObject({ created: true });
  });

  it.each([['drop-after'], ['error-after'], ['hang-after']])(
    'says which snapshots it left when the answer to its end is lost by %s',
    async (kind) => {
      const spec = await imageSpec(`ended by ${kind}`);
      const { imageId } = (await cloud.images.create(spec)).image;
      const { snapshotIds } = (await cloud.images.describe([imageId])).found.get(imageId)!;
      expect(snapshotIds).toHaveLength(1);
      await fault('DeregisterImage', kind);
      expect(await cloud.images.deregister(imageId)).toEqual({ outcome: 'deregistered', snapshotIds });
    },
  );

  it('is not taken for ended when the call never arrived', async () => {
    const { imageId } = (await cloud.images.create(await imageSpec('still there'))).image;
    await fault('DeregisterImage', 'drop-before');
    await expect(cloud.images.deregister(imageId)).rejects.toMatchObject({ kind: 'retry' });
    expect((await cloud.images.describe([imageId])).found.has(imageId)).toBe(true);
  });
});

describe('a role', () => {
  it('that STS does not answer for holds up no call for good', async () => {
    const role = { arn: 'arn:aws:iam::000000000000:role/late', external_id: 'between-us' };
    await control(simulator, '/roles', role);
    const assumeRole = { roleArn: role.arn, externalId: role.external_id };
    const assuming = new AwsCloud({ region: 'us-east-1', timeoutMs: 500, assumeRole });
    try {
      await fault('AssumeRole', 'hang', 2);
      await expect(assuming.market.zones()).rejects.toMatchObject({ kind: 'retry' });
      expect(await assuming.market.zones()).toContain(ZONE);
    } finally {
      assuming.destroy();
    }
  });
});

describe('a launch over several pools', () => {
  const spec = (clientToken: string) => ({
    clientToken: clientToken.padEnd(64, '0'),
    imageId: simulator.ready.imageId,
    userData: '{}',
    tags: { 'launch-of': clientToken },
    pools: ['us-east-1a', ZONE].map((zone) => ({ instanceType: 'g5.xlarge', zone, option: 'spot' as const })),
  });
  const templates = () =>
    control<{ params: Record<string, string> }[]>(simulator, '/calls?action=DeleteLaunchTemplate');

  it.each([['RequestLimitExceeded'], ['drop-before'], ['drop-after'], ['error-after'], ['Unavailable']])(
    'that fails with %s keeps its template for the repeat, which gives one instance',
    async (kind) => {
      const wanted = spec(kind);
      const isDeleted = async () =>
        (await templates()).some(
          ({ params }) => params['LaunchTemplateName'] === templateName(wanted.clientToken),
        );
      await fault('CreateFleet', kind);
      await expect(cloud.instances.launchAcross(wanted)).rejects.toThrow();
      expect(await isDeleted()).toBe(false);
      const { instances } = await cloud.instances.launchAcross(wanted);
      expect((await cloud.instances.findByTags(wanted.tags)).map(({ instanceId }) => instanceId)).toEqual(
        instances.map(({ instanceId }) => instanceId),
      );
      expect(instances).toHaveLength(1);
      expect(await isDeleted()).toBe(true);
    },
  );
});
