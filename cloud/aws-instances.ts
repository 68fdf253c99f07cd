/** Instances at EC2. */
import {
  CreateTagsCommand,
  DescribeInstancesCommand,
  type DescribeInstancesCommandInput,
  type Instance,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import { ask, ec2Call, newestFirst, tagFilters, tagList, tagRecord } from './aws-calls';
import type { AwsClients } from './aws-clients';
import { launchAcross } from './aws-fleet';
import { launchOne } from './aws-launch';
import { inBatches } from './batching';
import { CloudError } from './cloud-error';
import type { Tags } from './cloud-port';
import { describeByIds, isOverUnknownId } from './described';
import type {
  Ec2InstanceState,
  FleetSpec,
  InstanceDescription,
  InstancePort,
  LaunchSpec,
  PowerOutcome,
  TerminationOutcome,
} from './instance-port';
import { allPages } from './paging';

export class AwsInstances implements InstancePort {
  readonly #clients: AwsClients;

  constructor(clients: AwsClients) {
    this.#clients = clients;
  }

  launch(spec: LaunchSpec) {
    return launchOne(this.#clients, spec);
  }

  launchAcross(spec: FleetSpec) {
    return launchAcross(this.#clients, spec);
  }

  describe(instanceIds: readonly string[]) {
    return describeByIds(
      instanceIds,
      (InstanceIds) => this.#describe({ InstanceIds }, `of ${InstanceIds.join(', ')}`),
      (one) => one.instanceId,
    );
  }

  async describeOne(instanceId: string) {
    return (await this.describe([instanceId])).found.get(instanceId) ?? null;
  }

  async findByTags(tags: Tags) {
    const wanted = Object.entries(tags).map(([key, value]) => `${key}=${value}`);
    const found = await this.#describe(
      { Filters: tagFilters(tags), MaxResults: 1000 },
      `with ${wanted.join(', ')}`,
    );
    const isOver = ({ state }: InstanceDescription) => state === 'terminated' || state === 'shutting-down';
    return newestFirst(found, (one) => one.launchedAt).sort(
      (one, other) => Number(isOver(one)) - Number(isOver(other)),
    );
  }

  async terminate(instanceIds: readonly string[]) {
    const { replies, refused } = await inBatches(
      instanceIds,
      (InstanceIds) =>
        ask(ec2Call('TerminateInstances', `of ${InstanceIds.join(', ')}`), () =>
          this.#clients.changes.send(new TerminateInstancesCommand({ InstanceIds })),
        ),
      // Some of a refused batch may have been terminated, those in zones without a protected one; a repeat is harmless.
      (error, asked) =>
        isOverUnknownId(error, asked) ||
        ['OperationNotPermitted', 'UnauthorizedOperation'].includes(error.code)
          ? 'sift'
          : 'refuse',
    );
    const outcomes = new Map<string, TerminationOutcome>(
      replies
        .flatMap((reply) => reply.TerminatingInstances ?? [])
        .map(({ InstanceId, CurrentState }) => [
          InstanceId ?? '',
          { outcome: 'requested', state: (CurrentState?.Name ?? 'shutting-down') as Ec2InstanceState },
        ]),
    );
    for (const [id, error] of refused) outcomes.set(id, terminationRefusal(error, id));
    for (const id of instanceIds) if (!outcomes.has(id)) outcomes.set(id, leftOut(id));
    return outcomes;
  }

  stop(instanceId: string, { hibernate = false, force = false } = {}) {
    const call = ec2Call('StopInstances', `of ${instanceId}${hibernate ? ' with hibernation' : ''}`);
    return powerOutcome(() =>
      ask(call, async () => {
        const command = new StopInstancesCommand({
          InstanceIds: [instanceId],
          Hibernate: hibernate,
          Force: force,
        });
        const { StoppingInstances } = await this.#clients.changes.send(command);
        return (StoppingInstances?.[0]?.CurrentState?.Name ?? 'stopping') as Ec2InstanceState;
      }),
    );
  }

  start(instanceId: string) {
    return powerOutcome(() =>
      ask(ec2Call('StartInstances', `of ${instanceId}`), async () => {
        const command = new StartInstancesCommand({ InstanceIds: [instanceId] });
        const { StartingInstances } = await this.#clients.changes.send(command);
        return (StartingInstances?.[0]?.CurrentState?.Name ?? 'pending') as Ec2InstanceState;
      }),
    );
  }

  async tag(resourceIds: readonly string[], tags: Tags) {
    await ask(ec2Call('CreateTags', `of ${resourceIds.join(', ')}`), () =>
      this.#clients.changes.send(new CreateTagsCommand({ Resources: [...resourceIds], Tags: tagList(tags) })),
    );
  }

  #describe(input: DescribeInstancesCommandInput, object: string): Promise<InstanceDescription[]> {
    const call = ec2Call('DescribeInstances', object);
    return allPages(
      'DescribeInstances',
      (NextToken) =>
        ask(call, async () => {
          const reply = await this.#clients.looks.send(new DescribeInstancesCommand({ ...input, NextToken }));
          const items = (reply.Reservations ?? []).flatMap(({ Instances }) => Instances ?? []);
          return { items: items.map(description), nextToken: reply.NextToken };
        }),
      (one) => one.instanceId,
    );
  }
}

function terminationRefusal(error: CloudError, id: string): TerminationOutcome {
  const { message } = error;
  if (isOverUnknownId(error, [id])) return { outcome: 'unknown', message };
  if (error.code === 'OperationNotPermitted') return { outcome: 'protected', message };
  return { outcome: 'failed', error };
}

function leftOut(id: string): TerminationOutcome {
  const message = `EC2 answered TerminateInstances of ${id} without naming it. The same is asked again.`;
  return {
    outcome: 'failed',
    error: new CloudError({ kind: 'retry', code: 'EmptyReply', ambiguous: true }, message),
  };
}

async function powerOutcome(run: () => Promise<Ec2InstanceState>): Promise<PowerOutcome> {
  try {
    return { outcome: 'requested', state: await run() };
  } catch (error) {
    const refusal = error as CloudError;
    const { code, message } = refusal;
    if (code === 'InvalidInstanceID.NotFound') return { outcome: 'unknown', message };
    if (code === 'OperationNotPermitted') return { outcome: 'protected', message };
    if (code === 'UnsupportedOperation' || code === 'UnsupportedHibernationConfiguration') {
      return { outcome: 'impossible', code, message };
    }
    if (refusal.kind === 'wrong_state') return { outcome: 'wrong_state', message };
    throw refusal;
  }
}

function description(found: Instance): InstanceDescription {
  return {
    instanceId: found.InstanceId ?? '',
    state: (found.State?.Name ?? 'pending') as Ec2InstanceState,
    stateReasonCode: found.StateReason?.Code ?? '',
    stateReason: found.StateReason?.Message ?? '',
    imageId: found.ImageId ?? null,
    instanceType: found.InstanceType ?? '',
    zone: found.Placement?.AvailabilityZone ?? '',
    option: found.InstanceLifecycle === 'spot' ? 'spot' : 'ondemand',
    spotRequestId: found.SpotInstanceRequestId ?? null,
    launchedAt: found.LaunchTime?.toISOString() ?? null,
    hibernationConfigured: found.HibernationOptions?.Configured ?? false,
    privateIp: found.PrivateIpAddress ?? null,
    publicIp: found.PublicIpAddress ?? null,
    rootDevice: found.RootDeviceName ?? null,
    volumes: (found.BlockDeviceMappings ?? []).flatMap(({ DeviceName, Ebs }) =>
      Ebs?.VolumeId
        ? [
            {
              volumeId: Ebs.VolumeId,
              device: DeviceName ?? '',
              deleteOnTermination: Ebs.DeleteOnTermination ?? false,
            },
          ]
        : [],
    ),
    clientToken: found.ClientToken ?? '',
    tags: tagRecord(found.Tags),
  };
}
