/** Who we are and what we may. Source: STS API reference, GetCallerIdentity, AssumeRole; EC2 API reference, DryRun. */
import { RunInstancesCommand } from '@aws-sdk/client-ec2';
import { AwsCloud } from '../../cloud/aws-cloud';
import { refusal } from './cloud-under-test';
import type { Contracts } from './contracts';

export const identityContracts: Contracts = {
  async 'STS names the account of the credentials'(cloud) {
    const caller = await cloud.port.identity.caller();
    expect(caller.accountId).toBe(cloud.facts.accountId);
    expect(caller.arn).toMatch(new RegExp(`^arn:aws:(iam|sts)::${cloud.facts.accountId}:`));
  },

  async 'a role is taken on with its external id, for EC2 too'(cloud) {
    const { region, role, accountId } = cloud.facts;
    const assumed = new AwsCloud({
      region,
      assumeRole: { roleArn: role.arn, externalId: role.externalId },
    });
    try {
      const roleName = role.arn.split('/').at(-1);
      expect(await assumed.identity.caller()).toEqual({
        accountId,
        arn: `arn:aws:sts::${accountId}:assumed-role/${roleName}/spotkeeper`,
      });
      expect(await assumed.market.zones()).toEqual(await cloud.port.market.zones());
    } finally {
      assumed.destroy();
    }
  },

  async 'a role is not taken on with another external id'(cloud) {
    const { region, role } = cloud.facts;
    const assumed = new AwsCloud({ region, assumeRole: { roleArn: role.arn, externalId: 'other' } });
    try {
      await expect(assumed.identity.caller()).rejects.toMatchObject({
        kind: 'not_permitted',
        code: 'AccessDenied',
      });
    } finally {
      assumed.destroy();
    }
  },

  async 'a dry run that is allowed says so, and launches nothing'(cloud) {
    const tag = { Key: 'contract:dry', Value: cloud.unique('dry') };
    const command = new RunInstancesCommand({
      DryRun: true,
      ImageId: cloud.facts.imageId,
      InstanceType: cloud.facts.instanceType as 'g5.xlarge',
      MinCount: 1,
      MaxCount: 1,
      TagSpecifications: [{ ResourceType: 'instance', Tags: [tag] }],
    });
    expect(await refusal(cloud.ec2.send(command))).toEqual({ code: 'DryRunOperation', status: 412 });
    expect(await cloud.port.instances.findByTags({ [tag.Key]: tag.Value })).toEqual([]);
  },

  async 'permissions are asked for by dry run, and change nothing'(cloud) {
    const { instanceId, volumes } = await cloud.running();
    const { imageId, instanceType } = cloud.facts;
    const answers = await cloud.port.identity.permissions(
      ['RunInstances', 'TerminateInstances', 'StopInstances', 'CreateImage', 'CreateSnapshot', 'CreateTags'],
      { instanceId, imageId, instanceType, volumeId: volumes[0]!.volumeId },
    );
    expect([...answers.values()]).toEqual(Array.from({ length: 6 }, () => ({ answer: 'allowed' })));
    expect(await cloud.port.instances.describeOne(instanceId)).toMatchObject({
      state: 'running',
      tags: expect.not.objectContaining({ 'spotkeeper:dry-run': 'true' }),
    });
  },

  async 'a permission that can not be asked about is unclear'(cloud) {
    const answers = await cloud.port.identity.permissions(['TerminateInstances'], {});
    expect(answers.get('TerminateInstances')).toMatchObject({ answer: 'unclear' });
  },
};
