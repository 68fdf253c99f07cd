/** A launch in one pool: RunInstances. */
import { RunInstancesCommand, type RunInstancesCommandInput, type _InstanceType } from '@aws-sdk/client-ec2';
import { ask, ec2Call, emptyReply, tagList } from './aws-calls';
import type { AwsClients } from './aws-clients';
import type { LaunchedInstance, LaunchSpec } from './instance-port';

export async function launchOne({ changes }: AwsClients, spec: LaunchSpec): Promise<LaunchedInstance> {
  const { option, instanceType, zone } = spec.pool;
  const call = ec2Call('RunInstances', `for ${option} ${instanceType} in ${zone}`);
  return ask(call, async () => {
    const reply = await changes.send(new RunInstancesCommand(runInstancesInput(spec)));
    const launched = reply.Instances?.[0];
    if (!launched?.InstanceId) throw emptyReply(call, 'an instance');
    return { instanceId: launched.InstanceId, spotRequestId: launched.SpotInstanceRequestId ?? null };
  });
}

/** Also what a dry run asks about. */
export function runInstancesInput(spec: LaunchSpec): RunInstancesCommandInput {
  const { pool, clientToken, imageId, userData, tags } = spec;
  return {
    ClientToken: clientToken,
    ImageId: imageId,
    InstanceType: pool.instanceType as _InstanceType,
    MinCount: 1,
    MaxCount: 1,
    Placement: { AvailabilityZone: pool.zone },
    UserData: Buffer.from(userData).toString('base64'),
    MetadataOptions: { HttpTokens: 'required', InstanceMetadataTags: 'enabled' },
    TagSpecifications: [{ ResourceType: 'instance', Tags: tagList(tags) }],
    ...(spec.protectFromTermination && { DisableApiTermination: true }),
    ...(spec.hibernation && { HibernationOptions: { Configured: true } }),
    ...(pool.option === 'spot' && {
      InstanceMarketOptions: {
        MarketType: 'spot',
        SpotOptions: { SpotInstanceType: 'one-time', InstanceInterruptionBehavior: 'terminate' },
      },
    }),
  };
}
