/** What a person does in the EC2 console: one instance on a simulated cloud. */
import { EC2Client, type Instance, RunInstancesCommand } from '@aws-sdk/client-ec2';
import { regionOfZone } from '../../contracts/ids';
import type { PurchaseOption } from '../../contracts/states';
import type { UserData } from '../../contracts/user-data';
import type { ReadyMessages } from './processes';

export interface LaunchWishes {
  zone?: string;
  option?: PurchaseOption;
  userData?: UserData['spotkeeper'] | null;
}

export async function launch(
  cloud: ReadyMessages['simulator'],
  { zone, option = 'spot', userData }: LaunchWishes = {},
): Promise<Instance & { InstanceId: string }> {
  const ec2 = new EC2Client({
    region: zone ? regionOfZone(zone) : cloud.region,
    endpoint: cloud.cloudUrl,
    credentials: { accessKeyId: 'person', secretAccessKey: 'person' },
  });
  const text = userData && Buffer.from(JSON.stringify({ spotkeeper: userData })).toString('base64');
  try {
    const reply = await ec2.send(
      new RunInstancesCommand({
        ImageId: cloud.imageId,
        InstanceType: 'p3.2xlarge',
        MinCount: 1,
        MaxCount: 1,
        ...(text && { UserData: text }),
        ...(zone && { Placement: { AvailabilityZone: zone } }),
        ...(option === 'spot' && { InstanceMarketOptions: { MarketType: 'spot' } }),
      }),
    );
    const made = reply.Instances?.[0];
    if (!made?.InstanceId) throw new Error('RunInstances made no instance.');
    return { ...made, InstanceId: made.InstanceId };
  } finally {
    ec2.destroy();
  }
}
