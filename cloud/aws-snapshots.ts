/** Snapshots at EC2. */
import {
  CreateSnapshotCommand,
  DeleteSnapshotCommand,
  DescribeSnapshotsCommand,
  type DescribeSnapshotsCommandInput,
  type Snapshot,
} from '@aws-sdk/client-ec2';
import { ask, ec2Call, emptyReply, newestFirst, tagFilters, tagList, tagRecord } from './aws-calls';
import type { AwsClients } from './aws-clients';
import type { CloudError } from './cloud-error';
import type { Tags } from './cloud-port';
import { describeByIds, isOverUnknownId } from './described';
import { allPages } from './paging';
import type { SnapshotDescription, SnapshotPort, SnapshotSpec, SnapshotState } from './snapshot-port';

export const SNAPSHOT_KEY_TAG = 'spotkeeper:snapshot-key';

export class AwsSnapshots implements SnapshotPort {
  readonly #clients: AwsClients;

  constructor(clients: AwsClients) {
    this.#clients = clients;
  }

  async create(spec: SnapshotSpec) {
    const there = await this.#keyed(spec);
    if (there) return { snapshot: there, created: false };
    const call = ec2Call('CreateSnapshot', `of ${spec.volumeId}`);
    try {
      const snapshot = await ask(call, async () => {
        const made = await this.#clients.changes.send(new CreateSnapshotCommand(createSnapshotInput(spec)));
        if (!made.SnapshotId) throw emptyReply(call, 'a snapshot');
        return description(made);
      });
      return { snapshot, created: true };
    } catch (error) {
      const snapshot = (error as CloudError).ambiguous ? await this.#keyed(spec) : null;
      if (snapshot === null) throw error;
      return { snapshot, created: false };
    }
  }

  describe(snapshotIds: readonly string[]) {
    return describeByIds(
      snapshotIds,
      (SnapshotIds) => this.#describe({ SnapshotIds }, `of ${SnapshotIds.join(', ')}`),
      (one) => one.snapshotId,
    );
  }

  async findByTags(tags: Tags) {
    const found = await this.#own(tagFilters(tags), 'by tags');
    return newestFirst(found, (one) => one.startedAt);
  }

  async delete(snapshotId: string) {
    try {
      await ask(ec2Call('DeleteSnapshot', `of ${snapshotId}`), () =>
        this.#clients.changes.send(new DeleteSnapshotCommand({ SnapshotId: snapshotId })),
      );
      return { outcome: 'deleted' as const };
    } catch (error) {
      const refusal = error as CloudError;
      const { code, message } = refusal;
      if (code === 'InvalidSnapshot.InUse') return { outcome: 'in_use' as const, message };
      if (isOverUnknownId(refusal, [snapshotId])) return { outcome: 'unknown' as const, message };
      throw refusal;
    }
  }

  /** The snapshot of this volume under this key. One that failed doesn't count: another may be tried. */
  async #keyed({ volumeId, key }: SnapshotSpec): Promise<SnapshotDescription | null> {
    const filters = [...tagFilters({ [SNAPSHOT_KEY_TAG]: key }), { Name: 'volume-id', Values: [volumeId] }];
    const found = await this.#own(filters, `of ${volumeId} by key`);
    return newestFirst(found, (one) => one.startedAt).find(({ state }) => state !== 'error') ?? null;
  }

  #own(Filters: NonNullable<DescribeSnapshotsCommandInput['Filters']>, object: string) {
    return this.#describe({ OwnerIds: ['self'], Filters, MaxResults: 1000 }, object);
  }

  #describe(input: DescribeSnapshotsCommandInput, object: string): Promise<SnapshotDescription[]> {
    return allPages(
      'DescribeSnapshots',
      (NextToken) =>
        ask(ec2Call('DescribeSnapshots', object), async () => {
          const reply = await this.#clients.looks.send(new DescribeSnapshotsCommand({ ...input, NextToken }));
          return { items: (reply.Snapshots ?? []).map(description), nextToken: reply.NextToken };
        }),
      (one) => one.snapshotId,
    );
  }
}

function createSnapshotInput({ volumeId, key, description, tags }: SnapshotSpec) {
  return {
    VolumeId: volumeId,
    ...(description !== undefined && { Description: description }),
    TagSpecifications: [
      { ResourceType: 'snapshot' as const, Tags: tagList({ ...tags, [SNAPSHOT_KEY_TAG]: key }) },
    ],
  };
}

function description(snapshot: Snapshot): SnapshotDescription {
  return {
    snapshotId: snapshot.SnapshotId ?? '',
    volumeId: snapshot.VolumeId ?? '',
    state: (snapshot.State ?? 'pending') as SnapshotState,
    progressPercent: Number.parseInt(snapshot.Progress ?? '', 10) || 0,
    startedAt: snapshot.StartTime?.toISOString() ?? '',
    volumeSizeGib: snapshot.VolumeSize ?? 0,
    description: snapshot.Description ?? '',
    tags: tagRecord(snapshot.Tags),
  };
}
