/** moto, an imitation of AWS that no one here wrote, under the contracts. What it does otherwise is named and counted. */
import { DescribeImagesCommand, EC2Client } from '@aws-sdk/client-ec2';
import { type Moto, startMoto } from '../harness/moto';
import { CloudUnderTest } from './cloud-under-test';
import { contractCount, holdTo } from './contracts';
import { MOTO_DIFFERENCES } from './moto-differences';

const REGION = 'us-east-1';
/** moto's own. */
const ACCOUNT = '123456789012';

let moto: Moto;
let cloud: CloudUnderTest;

beforeAll(async () => {
  moto = await startMoto();
  cloud = new CloudUnderTest({
    url: moto.url,
    region: REGION,
    zones: ['us-east-1a', 'us-east-1b'],
    accountId: ACCOUNT,
    imageId: await someImage(moto.url),
    instanceType: 'g5.xlarge',
    role: { arn: `arn:aws:iam::${ACCOUNT}:role/contract`, externalId: 'between-us' },
    setCapacity: () => Promise.reject(new Error('moto has room without end, and no way to change that.')),
  });
}, 180_000);
afterAll(async () => {
  cloud?.destroy();
  await moto?.stop();
  if (moto) process.stderr.write(`${report(moto.version)}\n`);
});

holdTo(() => cloud, MOTO_DIFFERENCES);

async function someImage(endpoint: string): Promise<string> {
  const credentials = { accessKeyId: 'contract', secretAccessKey: 'contract' };
  const ec2 = new EC2Client({ region: REGION, endpoint, credentials });
  try {
    const { Images } = await ec2.send(new DescribeImagesCommand({ Owners: ['amazon'] }));
    const image = Images?.find(({ Architecture }) => Architecture === 'x86_64') ?? Images?.[0];
    if (!image?.ImageId) throw new Error('moto has no image to launch from.');
    return image.ImageId;
  } finally {
    ec2.destroy();
  }
}

function report(version: string): string {
  const lines = Object.entries(MOTO_DIFFERENCES).map(
    ([name, { instead, document }]) => `  - ${name}: ${instead} (${document})`,
  );
  return [`moto ${version} breaks ${lines.length} of ${contractCount()} contracts:`, ...lines].join('\n');
}
