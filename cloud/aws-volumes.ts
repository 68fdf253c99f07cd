/** Volumes at EC2. */
import {
  AttachVolumeCommand,
  DescribeVolumesCommand,
  type DescribeVolumesCommandInput,
  DetachVolumeCommand,
  type Volume,
} from '@aws-sdk/client-ec2';
import { ask, ec2Call, tagRecord } from './aws-calls';
import type { AwsClients } from './aws-clients';
import type { CloudError } from './cloud-error';
import { describeByIds, isOverUnknownId } from './described';
import { allPages } from './paging';
import type {
  AttachOutcome,
  DetachOutcome,
  VolumeAttachment,
  VolumeDescription,
  VolumePort,
  VolumeState,
} from './volume-port';

export class AwsVolumes implements VolumePort {
  readonly #clients: AwsClients;

  constructor(clients: AwsClients) {
    this.#clients = clients;
  }

  describe(volumeIds: readonly string[]) {
    return describeByIds(
      volumeIds,
      (VolumeIds) => this.#describe({ VolumeIds }, `of ${VolumeIds.join(', ')}`),
      (one) => one.volumeId,
    );
  }

  ofInstance(instanceId: string) {
    const Filters = [{ Name: 'attachment.instance-id', Values: [instanceId] }];
    return this.#describe({ Filters, MaxResults: 1000 }, `of ${instanceId}`);
  }

  async attach(request: { volumeId: string; instanceId: string; device: string }): Promise<AttachOutcome> {
    const { volumeId, instanceId, device } = request;
    try {
      await ask(ec2Call('AttachVolume', `of ${volumeId} to ${instanceId}`), () =>
        this.#clients.changes.send(
          new AttachVolumeCommand({ VolumeId: volumeId, InstanceId: instanceId, Device: device }),
        ),
      );
      return { outcome: 'requested' };
    } catch (error) {
      const refusal = error as CloudError;
      const { code, message, kind, ambiguous } = refusal;
      if (/ZoneMismatch$/.test(code)) return { outcome: 'other_zone', message };
      // Attached, or a lost answer: whether it is by this call or one before makes no difference.
      if (ambiguous || kind === 'wrong_state' || code === 'InvalidParameterValue') {
        const holder = await this.#holder(volumeId);
        if (holder === instanceId) return { outcome: 'requested' };
        if (holder !== null) return { outcome: 'in_use', message };
      }
      if (kind === 'wrong_state') return { outcome: 'wrong_state', message };
      throw refusal;
    }
  }

  async detach(request: { volumeId: string; instanceId: string; force?: boolean }): Promise<DetachOutcome> {
    const { volumeId, instanceId, force = false } = request;
    try {
      await ask(ec2Call('DetachVolume', `of ${volumeId} from ${instanceId}`), () =>
        this.#clients.changes.send(
          new DetachVolumeCommand({ VolumeId: volumeId, InstanceId: instanceId, Force: force }),
        ),
      );
      return { outcome: 'requested' };
    } catch (error) {
      const refusal = error as CloudError;
      const { code, message, kind } = refusal;
      if (code === 'InvalidAttachment.NotFound') return { outcome: 'not_attached' };
      if (isOverUnknownId(refusal, [volumeId])) return { outcome: 'unknown', message };
      if (kind !== 'wrong_state' && code !== 'OperationNotPermitted') throw refusal;
      // IncorrectState is EC2's answer for a volume that is available as well as for one that may not be taken away.
      return (await this.#holder(volumeId)) === instanceId
        ? { outcome: 'wrong_state', message }
        : { outcome: 'not_attached' };
    }
  }

  /** The instance that a volume is attached to, or on its way to. */
  async #holder(volumeId: string): Promise<string | null> {
    const volume = (await this.describe([volumeId])).found.get(volumeId);
    const held = volume?.attachments.find(({ state }) => state === 'attaching' || state === 'attached');
    return held?.instanceId ?? null;
  }

  #describe(input: DescribeVolumesCommandInput, object: string): Promise<VolumeDescription[]> {
    return allPages(
      'DescribeVolumes',
      (NextToken) =>
        ask(ec2Call('DescribeVolumes', object), async () => {
          const reply = await this.#clients.looks.send(new DescribeVolumesCommand({ ...input, NextToken }));
          return { items: (reply.Volumes ?? []).map(description), nextToken: reply.NextToken };
        }),
      (one) => one.volumeId,
    );
  }
}

function description(volume: Volume): VolumeDescription {
  return {
    volumeId: volume.VolumeId ?? '',
    zone: volume.AvailabilityZone ?? '',
    state: (volume.State ?? 'creating') as VolumeState,
    sizeGib: volume.Size ?? 0,
    attachments: (volume.Attachments ?? []).map((attachment) => ({
      instanceId: attachment.InstanceId ?? '',
      device: attachment.Device ?? '',
      state: (attachment.State ?? 'attaching') as VolumeAttachment['state'],
      deleteOnTermination: attachment.DeleteOnTermination ?? false,
    })),
    tags: tagRecord(volume.Tags),
  };
}
