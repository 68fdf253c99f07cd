/** Who we are (STS), and what we may do (EC2's dry runs). */
import {
  AttachVolumeCommand,
  CancelSpotInstanceRequestsCommand,
  CreateFleetCommand,
  CreateImageCommand,
  CreateSnapshotCommand,
  CreateTagsCommand,
  DeleteSnapshotCommand,
  DeregisterImageCommand,
  DetachVolumeCommand,
  RunInstancesCommand,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
  type EC2Client,
  type _InstanceType,
} from '@aws-sdk/client-ec2';
import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { ask, ec2Call } from './aws-calls';
import type { AwsClients } from './aws-clients';
import { CloudError } from './cloud-error';
import type { IdentityPort, Permission, ProbedAction, ProbeTargets } from './identity-port';

export class AwsIdentity implements IdentityPort {
  readonly #clients: AwsClients;

  constructor(clients: AwsClients) {
    this.#clients = clients;
  }

  async caller() {
    const call = {
      service: 'sts',
      action: 'GetCallerIdentity',
      object: 'of the credentials in use',
    } as const;
    return ask(call, async () => {
      const { Account, Arn } = await this.#clients.sts.send(new GetCallerIdentityCommand({}));
      if (!Account || !Arn) {
        throw new CloudError(
          { kind: 'retry', code: 'EmptyReply' },
          'AWS STS named no account. It is asked again.',
        );
      }
      return { accountId: Account, arn: Arn };
    });
  }

  async permissions(actions: readonly ProbedAction[], targets: Partial<ProbeTargets>) {
    const answers = new Map<ProbedAction, Permission>();
    for (const action of actions) answers.set(action, await this.#probe(action, targets));
    return answers;
  }

  async #probe(action: ProbedAction, targets: Partial<ProbeTargets>): Promise<Permission> {
    const { needs, send } = PROBES[action];
    const missing = needs.filter((name) => targets[name] === undefined);
    if (missing.length > 0) {
      return { answer: 'unclear', message: `A dry run of ${action} needs ${missing.join(' and ')}.` };
    }
    try {
      await ask(ec2Call(action, 'as a dry run'), () => send(this.#clients.looks, targets as ProbeTargets));
      return { answer: 'unclear', message: `EC2 did not answer the dry run of ${action} as one.` };
    } catch (error) {
      const refusal = error as CloudError;
      if (refusal.code === 'DryRunOperation') return { answer: 'allowed' };
      if (refusal.code === 'UnauthorizedOperation') return { answer: 'denied', message: refusal.message };
      if (refusal.kind === 'retry' || refusal.kind === 'throttled') throw refusal;
      return { answer: 'unclear', message: refusal.message };
    }
  }
}

interface Probe {
  needs: (keyof ProbeTargets)[];
  send(ec2: EC2Client, targets: ProbeTargets): Promise<unknown>;
}

const DryRun = true;

const PROBES: Record<ProbedAction, Probe> = {
  AttachVolume: {
    needs: ['volumeId', 'instanceId'],
    send: (ec2, { volumeId, instanceId }) =>
      ec2.send(
        new AttachVolumeCommand({ DryRun, VolumeId: volumeId, InstanceId: instanceId, Device: '/dev/sdf' }),
      ),
  },
  CancelSpotInstanceRequests: {
    needs: ['spotRequestId'],
    send: (ec2, { spotRequestId }) =>
      ec2.send(new CancelSpotInstanceRequestsCommand({ DryRun, SpotInstanceRequestIds: [spotRequestId] })),
  },
  CreateFleet: {
    needs: ['launchTemplateName'],
    send: (ec2, { launchTemplateName }) =>
      ec2.send(
        new CreateFleetCommand({
          DryRun,
          Type: 'instant',
          LaunchTemplateConfigs: [
            {
              LaunchTemplateSpecification: { LaunchTemplateName: launchTemplateName, Version: '$Latest' },
            },
          ],
          TargetCapacitySpecification: { TotalTargetCapacity: 1, DefaultTargetCapacityType: 'spot' },
        }),
      ),
  },
  CreateImage: {
    needs: ['instanceId'],
    send: (ec2, { instanceId }) =>
      ec2.send(
        new CreateImageCommand({
          DryRun,
          InstanceId: instanceId,
          Name: 'spotkeeper-dry-run',
          NoReboot: true,
        }),
      ),
  },
  CreateSnapshot: {
    needs: ['volumeId'],
    send: (ec2, { volumeId }) => ec2.send(new CreateSnapshotCommand({ DryRun, VolumeId: volumeId })),
  },
  CreateTags: {
    needs: ['instanceId'],
    send: (ec2, { instanceId }) =>
      ec2.send(
        new CreateTagsCommand({
          DryRun,
          Resources: [instanceId],
          Tags: [{ Key: 'spotkeeper:dry-run', Value: 'true' }],
        }),
      ),
  },
  DeleteSnapshot: {
    needs: ['snapshotId'],
    send: (ec2, { snapshotId }) => ec2.send(new DeleteSnapshotCommand({ DryRun, SnapshotId: snapshotId })),
  },
  DeregisterImage: {
    needs: ['imageId'],
    send: (ec2, { imageId }) => ec2.send(new DeregisterImageCommand({ DryRun, ImageId: imageId })),
  },
  DetachVolume: {
    needs: ['volumeId', 'instanceId'],
    send: (ec2, { volumeId, instanceId }) =>
      ec2.send(new DetachVolumeCommand({ DryRun, VolumeId: volumeId, InstanceId: instanceId })),
  },
  RunInstances: {
    needs: ['imageId', 'instanceType'],
    send: (ec2, { imageId, instanceType }) =>
      ec2.send(
        new RunInstancesCommand({
          DryRun,
          ImageId: imageId,
          InstanceType: instanceType as _InstanceType,
          MinCount: 1,
          MaxCount: 1,
          // Tags ask for ec2:CreateTags too, which every launch of ours needs.
          TagSpecifications: [
            { ResourceType: 'instance', Tags: [{ Key: 'spotkeeper:dry-run', Value: 'true' }] },
          ],
        }),
      ),
  },
  StartInstances: {
    needs: ['instanceId'],
    send: (ec2, { instanceId }) => ec2.send(new StartInstancesCommand({ DryRun, InstanceIds: [instanceId] })),
  },
  StopInstances: {
    needs: ['instanceId'],
    send: (ec2, { instanceId }) => ec2.send(new StopInstancesCommand({ DryRun, InstanceIds: [instanceId] })),
  },
  TerminateInstances: {
    needs: ['instanceId'],
    send: (ec2, { instanceId }) =>
      ec2.send(new TerminateInstancesCommand({ DryRun, InstanceIds: [instanceId] })),
  },
};
