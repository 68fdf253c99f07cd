/**
 * The cloud's storage: images, snapshots and volumes in the books, what is on them (disk-files.ts), and what falls due.
 *
 * S1 time is the cloud's: `settle` does what is due, and the cloud calls it in order.
 * S2 whoever changes something here lets the cloud look at its time again (`Cloud.advance`).
 */
import type { Image, Snapshot } from '../books/entities';
import { Images } from './images';
import type { StorageParts } from './parts';
import { Snapshots } from './snapshots';
import { Volumes } from './volumes';

export class Storage {
  readonly volumes: Volumes;
  readonly snapshots: Snapshots;
  readonly images: Images;

  constructor(private readonly parts: StorageParts) {
    this.volumes = new Volumes(parts);
    this.images = new Images(parts);
    this.snapshots = new Snapshots(parts, (snapshotId) => this.images.snapshotFailed(snapshotId));
  }

  /** Makes the files what the books say, before anything uses them. */
  async restore(): Promise<void> {
    const { books, files } = this.parts;
    const lost = await files.restore(books.all('volume'), books.all('snapshot'));
    for (const id of lost) this.snapshots.fail(id, 'Its volume ended before its files were copied.');
  }

  /**
   * Books an image and its snapshots. Resolves when they hold what they stand for.
   * @param when when the instance's disks are at rest to be copied.
   */
  async takeImage(
    image: Image,
    snapshots: readonly Snapshot[],
    when: Promise<void> | undefined,
  ): Promise<void> {
    const now = image.createdAt;
    const captured = this.snapshots.take(snapshots, now, [['image', image.id, image]], when);
    this.images.added(image, now);
    await captured;
  }

  /** When something here changes by itself next, after `now`; Infinity when nothing does. */
  nextDue(now: number): number {
    return Math.min(this.volumes.nextDue(now), this.snapshots.nextDue(now), this.images.nextDue(now));
  }

  /** Does all that is due at `now`, when all until `before` was done. */
  settle(before: number, now: number): void {
    this.volumes.settle(before, now);
    this.snapshots.settle(before, now);
    this.images.settle(before, now);
  }
}
