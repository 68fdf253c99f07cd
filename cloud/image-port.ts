/** Images (AMIs) of this account. */
import type { Described, Tags } from './cloud-port';

export type ImageState =
  'pending' | 'available' | 'invalid' | 'deregistered' | 'transient' | 'failed' | 'error' | 'disabled';

export interface ImageDescription {
  imageId: string;
  name: string;
  state: ImageState;
  stateReason: string;
  /** ISO 8601; empty if EC2 said none. */
  createdAt: string;
  /** Null unless CreateImage made it. */
  sourceInstanceId: string | null;
  /** The snapshots behind it, which DeregisterImage leaves and DeleteSnapshot refuses to delete while it exists. */
  snapshotIds: string[];
  tags: Record<string, string>;
}

export interface ImageSpec {
  instanceId: string;
  /** 3–128 characters, unique in account and region; `deterministic-names.ts` makes it. */
  name: string;
  description?: string;
  /** True keeps the instance running, for files that may be in the middle of a write; false reboots it. */
  noReboot: boolean;
  /** Of the image and of its snapshots. */
  tags: Tags;
}

export interface ImagePort {
  /**
   * CreateImage. It has no client token, so the name is the key: an image of this name is taken as the one asked for,
   * whatever its state, before the call and when EC2 answers InvalidAMIName.Duplicate.
   * @returns `created` false for an image that was there.
   */
  create(spec: ImageSpec): Promise<{ image: ImageDescription; created: boolean }>;
  /** DescribeImages by id, disabled ones too. */
  describe(imageIds: readonly string[]): Promise<Described<ImageDescription>>;
  /** All of ours with these tags, in any state, the newest first. */
  findByTags(tags: Tags): Promise<ImageDescription[]>;
  /** The newest of ours with these tags to launch from: neither pending, failed nor disabled. Null for none. */
  newest(tags: Tags): Promise<ImageDescription | null>;
  /** DeregisterImage; says which snapshots are left behind. */
  deregister(
    imageId: string,
  ): Promise<{ outcome: 'deregistered'; snapshotIds: string[] } | { outcome: 'unknown'; message: string }>;
}
