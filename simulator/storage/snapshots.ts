/**
 * Snapshots. One holds its volume as it was when it was asked for, though it is pending for a while; it is answered for
 * when the files are copied, and that is what the promise of `take` tells.
 */
import type { BooksPut } from '../books/books';
import type { Snapshot, Tags, Volume } from '../books/entities';
import { newId } from '../ids';
import { copiedGib, drawSeconds } from './durations';
import type { StorageParts } from './parts';
import { imageState, snapshotState } from './states';

export interface SnapshotWish {
  readonly volume: Volume;
  readonly description: string;
  readonly tags: Tags;
}

export class Snapshots {
  readonly #pending: Set<string>;

  constructor(
    private readonly parts: StorageParts,
    /** Hears that a snapshot could not be taken. */
    private readonly onFailure: (snapshotId: string) => void,
  ) {
    const { books } = parts;
    const pending = books.all('snapshot').filter(({ completedAt }) => completedAt > books.position);
    this.#pending = new Set(pending.map(({ id }) => id));
  }

  draft({ volume, description, tags }: SnapshotWish, now: number): Snapshot {
    const seconds = drawSeconds(this.parts.durations.snapshot, this.copiedGib(volume), this.parts.random);
    return {
      id: newId('snap'),
      region: volume.region,
      volumeId: volume.id,
      sizeGib: volume.sizeGib,
      encrypted: volume.encrypted,
      description,
      tags,
      startedAt: now,
      completedAt: now + seconds,
      failure: null,
    };
  }

  /** How much of a volume its next snapshot copies. */
  copiedGib({ id, sizeGib }: Volume): number {
    const earlier = this.parts.books
      .all('snapshot')
      .some(({ volumeId, failure }) => volumeId === id && !failure);
    return copiedGib(sizeGib, earlier);
  }

  /**
   * @param also changes of the same transaction.
   * @param when when the disks are at rest to be copied.
   */
  async take(
    snapshots: readonly Snapshot[],
    now: number,
    also: readonly BooksPut[] = [],
    when?: Promise<void>,
  ): Promise<void> {
    this.parts.books.commit(now, [...snapshots.map(put), ...also]);
    for (const snapshot of snapshots) {
      this.#pending.add(snapshot.id);
      this.#tell('snapshot-created', snapshot);
    }
    // Those that take no time.
    this.settle(-Infinity, now);
    await Promise.all(snapshots.map((snapshot) => this.#capture(snapshot, when)));
  }

  remove({ id }: Snapshot, now: number): void {
    this.parts.books.commit(now, [['snapshot', id, null]]);
    this.#pending.delete(id);
    this.parts.files.dropSnapshot(id).catch(this.parts.onError);
    this.parts.events.append({ kind: 'snapshot-deleted', snapshot_id: id });
  }

  /** Ends it in state `error`. */
  fail(id: string, reason: string): void {
    const { books } = this.parts;
    const snapshot = books.get('snapshot', id);
    if (!snapshot) return;
    books.commit(books.position, [put({ ...snapshot, failure: reason })]);
    this.#pending.delete(id);
    this.#tell('snapshot-failed', snapshot);
    this.onFailure(id);
  }

  /** The images that need it: any that is registered, disabled ones too. */
  usersOf(id: string, now: number): string[] {
    return this.parts.books
      .all('image')
      .filter((image) => imageState(image, now) !== 'deregistered')
      .filter(({ disks }) => disks.some(({ snapshotId }) => snapshotId === id))
      .map((image) => image.id);
  }

  pendingOf(volumeId: string, now: number): Snapshot[] {
    return this.parts.books
      .all('snapshot')
      .filter((snapshot) => snapshot.volumeId === volumeId && snapshotState(snapshot, now) === 'pending');
  }

  nextDue(now: number): number {
    let due = Infinity;
    for (const id of this.#pending) {
      const moment = this.parts.books.get('snapshot', id)?.completedAt ?? 0;
      if (moment > now) due = Math.min(due, moment);
    }
    return due;
  }

  settle(_before: number, now: number): void {
    for (const id of this.#pending) {
      const snapshot = this.parts.books.get('snapshot', id);
      if (snapshot && snapshot.completedAt > now) continue;
      this.#pending.delete(id);
      if (snapshot) this.#tell('snapshot-completed', snapshot);
    }
  }

  async #capture({ id, volumeId }: Snapshot, when?: Promise<void>): Promise<void> {
    try {
      await this.parts.files.capture(id, volumeId, when);
    } catch (error) {
      this.parts.onError(error);
      this.fail(id, `The files of ${volumeId} could not be copied: ${(error as Error).message}.`);
    }
  }

  #tell(kind: string, { id, volumeId }: Snapshot): void {
    this.parts.events.append({ kind, snapshot_id: id, volume_id: volumeId });
  }
}

function put(snapshot: Snapshot): BooksPut {
  return ['snapshot', snapshot.id, snapshot];
}
