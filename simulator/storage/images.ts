/**
 * Images: a snapshot of each of an instance's disks, and their names.
 *
 * M1 an image becomes available when its snapshots are complete.
 * M2 an instance that ends before its disks were read fails the image; afterwards its end changes nothing.
 * M3 a deregistered image is remembered while an instance names it, and for an hour.
 */
import type { EndReason, Image } from '../books/entities';
import { drawSeconds } from './durations';
import type { StorageParts } from './parts';

const REMEMBERED_SECONDS = 3600;

export const IMAGE_FAILED: EndReason = {
  code: 'Server.InternalError',
  message: 'Server.InternalError: Internal error on image creation',
};
export const INSTANCE_ENDED: EndReason = {
  code: 'Client.InstanceTerminated',
  message: 'Client.InstanceTerminated: The instance was terminated or rebooted during AMI creation',
};

export class Images {
  readonly #pending: Set<string>;
  #failing = 0;

  constructor(private readonly parts: StorageParts) {
    const { books } = parts;
    const changing = ({ availableAt, deregisteredAt }: Image) =>
      availableAt > books.position || deregisteredAt !== null;
    this.#pending = new Set(
      books
        .all('image')
        .filter(changing)
        .map(({ id }) => id),
    );
  }

  /** How long an image of so much to copy is pending. */
  drawSeconds(copiedGib: number): number {
    return drawSeconds(this.parts.durations.image, copiedGib, this.parts.random);
  }

  /** The next images fail when they would have become available. */
  failNext(count: number): void {
    this.#failing = count;
  }

  /** What becomes of an image that is asked for now; uses up what `failNext` set. */
  nextFailure(): EndReason | null {
    if (this.#failing === 0) return null;
    this.#failing--;
    return IMAGE_FAILED;
  }

  /** Follows an image that the books have got. */
  added(image: Image, now: number): void {
    this.#pending.add(image.id);
    this.#tell('image-created', image);
    this.#settle(image.id, -Infinity, now);
  }

  setDisabled(image: Image, disabled: boolean, now: number): void {
    this.parts.books.commit(now, [['image', image.id, { ...image, disabled }]]);
    this.#tell(disabled ? 'image-disabled' : 'image-enabled', image);
  }

  deregister(image: Image, now: number): void {
    this.parts.books.commit(now, [['image', image.id, { ...image, deregisteredAt: now }]]);
    this.#pending.add(image.id);
    this.#tell('image-deregistered', image);
  }

  /** Fails the images that hold a snapshot which could not be taken. */
  snapshotFailed(snapshotId: string): void {
    const { books } = this.parts;
    const images = books
      .all('image')
      .filter(({ disks }) => disks.some((disk) => disk.snapshotId === snapshotId));
    for (const image of images) this.#fail(image, IMAGE_FAILED, books.position);
  }

  nextDue(now: number): number {
    let due = Infinity;
    for (const id of this.#pending) {
      const image = this.parts.books.get('image', id);
      if (!image) continue;
      const { takenAt, availableAt, deregisteredAt } = image;
      const forgottenAt = deregisteredAt === null ? 0 : deregisteredAt + REMEMBERED_SECONDS;
      for (const moment of [takenAt, availableAt, forgottenAt]) if (moment > now) due = Math.min(due, moment);
    }
    return due;
  }

  settle(before: number, now: number): void {
    for (const id of this.#pending) this.#settle(id, before, now);
  }

  #settle(id: string, before: number, now: number): void {
    const image = this.parts.books.get('image', id);
    if (!image || image.deregisteredAt !== null) {
      if (!image || this.#isForgotten(image, now)) this.#pending.delete(id);
    } else if (image.takenAt > before && image.takenAt <= now && this.#endedBefore(image)) {
      this.#fail(image, INSTANCE_ENDED, now);
    } else if (image.availableAt <= now) {
      this.#pending.delete(id);
      this.#tell(image.failure ? 'image-failed' : 'image-available', image);
    }
  }

  #endedBefore({ sourceInstanceId, takenAt }: Image): boolean {
    const instance = this.parts.books.get('instance', sourceInstanceId);
    const ended = instance?.state === 'shutting-down' || instance?.state === 'terminated';
    return ended && (instance.endedAt ?? 0) < takenAt;
  }

  #fail(image: Image, failure: EndReason, now: number): void {
    const failed = { ...image, failure, availableAt: Math.min(image.availableAt, now) };
    this.parts.books.commit(now, [['image', image.id, failed]]);
    this.#pending.delete(image.id);
    this.#tell('image-failed', failed);
  }

  #isForgotten({ id, deregisteredAt }: Image, now: number): boolean {
    if ((deregisteredAt ?? 0) + REMEMBERED_SECONDS > now) return false;
    if (this.parts.books.all('instance').some(({ imageId }) => imageId === id)) return false;
    this.parts.books.commit(now, [['image', id, null]]);
    return true;
  }

  #tell(kind: string, { id, name, sourceInstanceId, failure }: Image): void {
    this.parts.events.append({
      kind,
      image_id: id,
      name,
      instance_id: sourceInstanceId,
      ...(kind === 'image-failed' && failure && { reason: failure.code }),
    });
  }
}
