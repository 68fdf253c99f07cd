/** Snapshots of volumes. */
import type { Described, Tags } from './cloud-port';

export type SnapshotState = 'pending' | 'completed' | 'error' | 'recoverable' | 'recovering';

export interface SnapshotDescription {
  snapshotId: string;
  volumeId: string;
  state: SnapshotState;
  /** 0 to 100. */
  progressPercent: number;
  /** ISO 8601; empty if EC2 said none. */
  startedAt: string;
  volumeSizeGib: number;
  description: string;
  tags: Record<string, string>;
}

export interface SnapshotSpec {
  volumeId: string;
  /** Unique in its volume; kept in the tag `spotkeeper:snapshot-key`. `deterministic-names.ts` makes it. */
  key: string;
  description?: string;
  tags: Tags;
}

export interface SnapshotPort {
  /**
   * CreateSnapshot. It has no client token, so the key's tag stands for one: a snapshot of the volume with this key is
   * taken as the one asked for, before the call and after an ambiguous error.
   * @returns `created` false for a snapshot that was there.
   */
  create(spec: SnapshotSpec): Promise<{ snapshot: SnapshotDescription; created: boolean }>;
  describe(snapshotIds: readonly string[]): Promise<Described<SnapshotDescription>>;
  /** All of ours with these tags, the newest first. */
  findByTags(tags: Tags): Promise<SnapshotDescription[]>;
  /** DeleteSnapshot; `in_use` while an image needs it. */
  delete(
    snapshotId: string,
  ): Promise<{ outcome: 'deleted' } | { outcome: 'in_use' | 'unknown'; message: string }>;
}
