/**
 * The simulated cloud under the contracts. What it still lacks is named, and fails here as soon as it is there, so that
 * it is struck out.
 */
import { type Simulator, startSimulator } from '../harness/simulator';
import { control } from '../integration/simulator-control';
import { CloudUnderTest } from './cloud-under-test';
import { type Difference, holdTo } from './contracts';

const INSTANCE_TYPE = 'g5.xlarge';
const role = { arn: 'arn:aws:iam::000000000000:role/contract', externalId: 'between-us' };

let simulator: Simulator;
let cloud: CloudUnderTest;

beforeAll(async () => {
  simulator = await startSimulator(
    ...['--boot', 'none', '--synthetic', '3', '--region', 'us-east-1'],
    ...['--boot-seconds', '0', '--shutdown-seconds', '0', '--volume-seconds', '0'],
    ...['--image-seconds', '0.2', '--snapshot-seconds', '0.1'],
  );
  await control(simulator, '/pools/give-back', {});
  await control(simulator, '/roles', { arn: role.arn, external_id: role.externalId });
  const { cloudUrl, region, accountId, imageId } = simulator.ready;
  cloud = new CloudUnderTest({
    url: cloudUrl,
    region,
    zones: ['us-east-1a', 'us-east-1b'],
    accountId,
    imageId,
    instanceType: INSTANCE_TYPE,
    role,
    async setCapacity(zone, has) {
      await control(simulator, has ? '/pools/give-back' : '/pools/take', {
        zone,
        instance_type: INSTANCE_TYPE,
      });
    },
  });
});
afterAll(async () => {
  cloud?.destroy();
  await simulator?.stop();
});

const lacks = (...actions: string[]): Difference => ({
  instead: `lacks ${actions.join(', ')}`,
  document: 'EC2 API reference',
});
const template = lacks(
  'CreateFleet',
  'CreateLaunchTemplate',
  'DeleteLaunchTemplate',
  'DescribeLaunchTemplates',
);
const power = lacks('StopInstances', 'StartInstances');
const protection = lacks('ModifyInstanceAttribute', 'DescribeInstanceAttribute');
const spotRequests = lacks('DescribeSpotInstanceRequests', 'CancelSpotInstanceRequests');

holdTo(() => cloud, {
  'fleets: one call gives one spot instance in one of its pools': template,
  'fleets: one call gives one on-demand instance': template,
  'fleets: the same token gives the same instance': template,
  'fleets: its launch template is gone afterwards': template,
  'fleets: a pool without room is passed over': template,
  'fleets: pools without room are errors in an answer, each with its pool': template,
  'identity: permissions are asked for by dry run, and change nothing': power,
  'market: an accelerated type says so, and can not hibernate': lacks('DescribeInstanceTypes'),
  'stop and start: an instance stops and starts, and keeps its id and disk': power,
  'stop and start: stopping what is stopped, and starting what runs, succeeds': power,
  'stop and start: a one-time spot instance can not stop': power,
  'stop and start: an instance launched without the flag can not hibernate': power,
  'stop and start: what is terminated neither stops nor starts': power,
  'stop and start: what is not there neither stops nor starts': power,
  'spot requests: a launch on spot has a one-time request that is fulfilled': spotRequests,
  'spot requests: requests are found by their instances, of which on-demand ones have none': spotRequests,
  'spot requests: one unknown id hides none of the others': spotRequests,
  'spot requests: a cancelled request leaves its instance running': spotRequests,
  'spot requests: the request of a terminated instance is closed, and says by whom': spotRequests,
  'termination: a protected instance refuses': protection,
  'termination: a launch can protect its instance': protection,
  'termination: the port ends the others beside unknown, malformed and protected ones': protection,
  'termination: the protected one of another zone keeps none of the others alive': protection,
});
