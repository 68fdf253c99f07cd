/** Images at EC2. */
import {
  CreateImageCommand,
  DeregisterImageCommand,
  DescribeImagesCommand,
  type DescribeImagesCommandInput,
  type Image,
} from '@aws-sdk/client-ec2';
import { ask, ec2Call, emptyReply, newestFirst, tagFilters, tagList, tagRecord } from './aws-calls';
import type { AwsClients } from './aws-clients';
import { CloudError } from './cloud-error';
import type { Tags } from './cloud-port';
import { describeByIds, isOverUnknownId } from './described';
import type { ImageDescription, ImagePort, ImageSpec, ImageState } from './image-port';
import { allPages } from './paging';

export class AwsImages implements ImagePort {
  readonly #clients: AwsClients;

  constructor(clients: AwsClients) {
    this.#clients = clients;
  }

  async create(spec: ImageSpec) {
    const there = await this.#named(spec.name);
    if (there) return { image: there, created: false };
    const call = ec2Call('CreateImage', `${spec.name} of ${spec.instanceId}`);
    try {
      const imageId = await ask(call, async () => {
        const reply = await this.#clients.changes.send(new CreateImageCommand(createImageInput(spec)));
        if (!reply.ImageId) throw emptyReply(call, 'an image');
        return reply.ImageId;
      });
      return { image: justCreated(imageId, spec), created: true };
    } catch (error) {
      return { image: await this.#fromLostAnswer(error as CloudError, spec.name), created: false };
    }
  }

  describe(imageIds: readonly string[]) {
    return describeByIds(
      imageIds,
      (ImageIds) => this.#describe({ ImageIds, IncludeDisabled: true }, `of ${ImageIds.join(', ')}`),
      (one) => one.imageId,
    );
  }

  async findByTags(tags: Tags) {
    const found = await this.#own(tagFilters(tags), 'by tags');
    return newestFirst(found, (one) => one.createdAt);
  }

  async newest(tags: Tags) {
    const found = await this.findByTags(tags);
    return found.find(({ state }) => state === 'available') ?? null;
  }

  async deregister(imageId: string) {
    const described = (await this.describe([imageId])).found.get(imageId);
    try {
      await ask(ec2Call('DeregisterImage', `of ${imageId}`), () =>
        this.#clients.changes.send(new DeregisterImageCommand({ ImageId: imageId })),
      );
    } catch (error) {
      if (!(error instanceof CloudError)) throw error;
      if (isOverUnknownId(error, [imageId])) return { outcome: 'unknown' as const, message: error.message };
      // A repeat would find nothing to ask which snapshots were left.
      const isGone = error.ambiguous && described && !(await this.describe([imageId])).found.has(imageId);
      if (!isGone) throw error;
    }
    return { outcome: 'deregistered' as const, snapshotIds: described?.snapshotIds ?? [] };
  }

  /** An answer that was lost, or a name that is taken: what stands under the name is what was asked for. */
  async #fromLostAnswer(error: CloudError, name: string): Promise<ImageDescription> {
    const isTaken = error.code === 'InvalidAMIName.Duplicate';
    const image = error.ambiguous || isTaken ? await this.#named(name) : null;
    if (image !== null) return image;
    if (!isTaken) throw error;
    throw new CloudError(
      { kind: 'retry', code: error.code },
      `EC2 has an image named ${name}, and does not show it yet. It is looked for again.`,
      { cause: error },
    );
  }

  async #named(name: string): Promise<ImageDescription | null> {
    const found = await this.#own([{ Name: 'name', Values: [name] }], `named ${name}`);
    return newestFirst(found, (one) => one.createdAt)[0] ?? null;
  }

  #own(Filters: NonNullable<DescribeImagesCommandInput['Filters']>, object: string) {
    return this.#describe({ Owners: ['self'], IncludeDisabled: true, Filters, MaxResults: 1000 }, object);
  }

  #describe(input: DescribeImagesCommandInput, object: string): Promise<ImageDescription[]> {
    return allPages(
      'DescribeImages',
      (NextToken) =>
        ask(ec2Call('DescribeImages', object), async () => {
          const reply = await this.#clients.looks.send(new DescribeImagesCommand({ ...input, NextToken }));
          return { items: (reply.Images ?? []).map(description), nextToken: reply.NextToken };
        }),
      (one) => one.imageId,
    );
  }
}

function createImageInput({ instanceId, name, description, noReboot, tags }: ImageSpec) {
  const Tags = tagList(tags);
  return {
    InstanceId: instanceId,
    Name: name,
    // Said either way: what EC2 does without it is to reboot a running primary.
    NoReboot: noReboot,
    ...(description !== undefined && { Description: description }),
    TagSpecifications: [
      { ResourceType: 'image' as const, Tags },
      { ResourceType: 'snapshot' as const, Tags },
    ],
  };
}

/** EC2 may not show it yet, and says no more of it than its id. */
function justCreated(imageId: string, spec: ImageSpec): ImageDescription {
  return {
    imageId,
    name: spec.name,
    state: 'pending',
    stateReason: '',
    createdAt: '',
    sourceInstanceId: spec.instanceId,
    snapshotIds: [],
    tags: { ...spec.tags },
  };
}

function description(image: Image): ImageDescription {
  return {
    imageId: image.ImageId ?? '',
    name: image.Name ?? '',
    state: (image.State ?? 'pending') as ImageState,
    stateReason: image.StateReason?.Message ?? '',
    createdAt: image.CreationDate ?? '',
    sourceInstanceId: image.SourceInstanceId ?? null,
    snapshotIds: (image.BlockDeviceMappings ?? []).flatMap(({ Ebs }) => Ebs?.SnapshotId ?? []),
    tags: tagRecord(image.Tags),
  };
}
