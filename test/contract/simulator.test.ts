/** The simulated cloud under the contracts, all of them. It shows at once what it has: the lag has tests of its own. */
import { type Simulator, startSimulator } from '../harness/simulator';
import { control } from '../integration/simulator-control';
import { CloudUnderTest } from './cloud-under-test';
import { holdTo } from './contracts';

const INSTANCE_TYPE = 'g5.xlarge';
const role = { arn: 'arn:aws:iam::000000000000:role/contract', externalId: 'between-us' };

let simulator: Simulator;
let cloud: CloudUnderTest;

beforeAll(async () => {
  simulator = await startSimulator(
    ...['--boot', 'none', '--synthetic', '3', '--region', 'us-east-1'],
    ...['--boot-seconds', '0', '--shutdown-seconds', '0', '--volume-seconds', '0'],
    ...['--image-seconds', '0.2', '--snapshot-seconds', '0.1', '--consistency-seconds', '0'],
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

holdTo(() => cloud);
