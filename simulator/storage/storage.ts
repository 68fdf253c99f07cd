/**
 * The cloud's storage: images, snapshots and volumes in the books, and what falls due for them.
 *
 * S1 what a launch or an end means for volumes is part of that launch's or end's transaction.
 * S2 time is the cloud's: `settle` does what is due, and the cloud calls it in order.
 */
import type { Books, BooksPut } from '../books/books';
import type { Image, ImageDisk, Instance } from '../books/entities';
import type { EventLog } from '../control/event-log';
import { disksAtLaunch, USUAL_ROOT_GIB, volumeAfterEnd } from './disks';

export class Storage {
  constructor(
    private readonly books: Books,
    private readonly events: EventLog,
  ) {}

  /** A fresh instance with its disks, and the changes that make them. */
  atLaunch(instance: Instance, image: Image, now: number): { instance: Instance; puts: BooksPut[] } {
    const { devices, volumes } = disksAtLaunch(instance, image.disks, now);
    return {
      instance: { ...instance, devices },
      puts: volumes.map((volume): BooksPut => ['volume', volume.id, volume]),
    };
  }

  /** An instance that is terminated has no disks; what isn't deleted with it is left behind. */
  atEnd(instance: Instance): { instance: Instance; puts: BooksPut[] } {
    const volumes = this.books
      .all('volume')
      .filter(({ attachment }) => attachment?.instanceId === instance.id);
    return {
      instance: { ...instance, devices: [] },
      puts: volumes.map((volume): BooksPut => ['volume', volume.id, volumeAfterEnd(volume)]),
    };
  }

  /** An instance's disks as an image of it holds them. */
  disksOf(instance: Instance): ImageDisk[] {
    return instance.devices.map(({ name, volumeId, deleteOnTermination }) => ({
      device: name,
      snapshotId: null,
      sizeGib: this.books.get('volume', volumeId)?.sizeGib ?? USUAL_ROOT_GIB,
      deleteOnTermination,
    }));
  }

  addImage(image: Image, now: number): void {
    this.books.commit(now, [['image', image.id, image]]);
    this.events.append({
      kind: 'image-created',
      image_id: image.id,
      name: image.name,
      instance_id: image.sourceInstanceId,
    });
    if (image.availableAt <= now) this.#imageAvailable(image);
  }

  /** When something here changes by itself next, after `now`; Infinity when nothing does. */
  nextDue(now: number): number {
    let due = Infinity;
    for (const { availableAt } of this.books.all('image')) {
      if (availableAt > now) due = Math.min(due, availableAt);
    }
    return due;
  }

  /** Does all that is due at `now`, when all until `before` was done. */
  settle(before: number, now: number): void {
    for (const image of this.books.all('image')) {
      if (image.availableAt > before && image.availableAt <= now) this.#imageAvailable(image);
    }
  }

  #imageAvailable(image: Image): void {
    this.events.append({ kind: 'image-available', image_id: image.id, name: image.name });
  }
}
