/**
 * Volumes and their attachments.
 *
 * V1 an instance's devices name exactly the volumes that are attached to it; both change in one transaction.
 * V2 what a launch or an end means for volumes is part of that launch's or end's transaction. A volume that goes with its
 *    instance goes from the books at once; its files stay with the instance's until that is forgotten.
 */
import type { BooksPut } from '../books/books';
import type { Device, Instance, Volume } from '../books/entities';
import { disksAtLaunch, volumeAfterEnd } from './disks';
import type { LaunchDisks } from './disks';
import { drawSeconds } from './durations';
import type { StorageParts } from './parts';
import { nextVolumeChange } from './states';

export class Volumes {
  /** Those that are still to change by themselves. */
  readonly #pending: Set<string>;

  constructor(private readonly parts: StorageParts) {
    const { books } = parts;
    this.#pending = new Set(
      books
        .all('volume')
        .filter((volume) => nextVolumeChange(volume, books.position) < Infinity)
        .map(({ id }) => id),
    );
  }

  /** A fresh instance with its disks, and the changes that make them. */
  atLaunch(instance: Instance, disks: LaunchDisks, now: number): { instance: Instance; puts: BooksPut[] } {
    const { devices, volumes } = disksAtLaunch(instance, disks, now);
    return { instance: { ...instance, devices }, puts: volumes.map(put) };
  }

  /** Copies what a launched instance's disks hold, once the books have them. */
  launched(instance: Instance): void {
    for (const { volumeId } of instance.devices) this.#fill(this.#get(volumeId));
  }

  /** What the end of an instance means for its volumes. Its record goes on naming them, so that their files are found. */
  atEnd(instance: Instance): BooksPut[] {
    return instance.devices.map(({ volumeId }): BooksPut => {
      const volume = this.#get(volumeId);
      return ['volume', volumeId, volume ? volumeAfterEnd(volume) : null];
    });
  }

  /** @param also changes of the same transaction. */
  create(
    draft: Omit<Volume, 'availableAt' | 'attachment' | 'goneAt'>,
    also: readonly BooksPut[] = [],
  ): Volume {
    const now = draft.createdAt;
    const volume = { ...draft, availableAt: now + this.#draw(), attachment: null, goneAt: null };
    this.#keep(volume, now, also);
    this.#tell('volume-created', volume);
    this.#fill(volume);
    if (volume.availableAt <= now) this.#tell('volume-available', volume);
    return volume;
  }

  attach(before: Volume, instance: Instance, name: string, now: number): Volume {
    const device: Device = { name, volumeId: before.id, deleteOnTermination: false, attachedAt: now };
    const volume: Volume = {
      ...before,
      attachment: {
        instanceId: instance.id,
        device: name,
        deleteOnTermination: false,
        attachedAt: now,
        settledAt: now + this.#draw(),
        detachedAt: null,
      },
    };
    this.#keep(volume, now, [
      ['instance', instance.id, { ...instance, devices: [...instance.devices, device] }],
    ]);
    if ((volume.attachment?.settledAt ?? now) <= now) this.#attached(volume);
    return volume;
  }

  detach(before: Volume, now: number): Volume {
    const { attachment } = before;
    if (!attachment || attachment.detachedAt !== null) return before;
    const volume = { ...before, attachment: { ...attachment, detachedAt: now + this.#draw() } };
    this.#keep(volume, now);
    this.settle(now, now);
    return volume;
  }

  remove(before: Volume, now: number): void {
    this.#keep({ ...before, goneAt: now + this.#draw() }, now);
    this.settle(now, now);
  }

  nextDue(now: number): number {
    let due = Infinity;
    for (const id of this.#pending) {
      const volume = this.#get(id);
      if (volume) due = Math.min(due, nextVolumeChange(volume, now));
    }
    return due;
  }

  settle(before: number, now: number): void {
    const reached = (moment: number) => moment > before && moment <= now;
    for (const id of this.#pending) {
      const volume = this.#get(id);
      if (volume) {
        if (reached(volume.availableAt)) this.#tell('volume-available', volume);
        if (volume.attachment && reached(volume.attachment.settledAt)) this.#attached(volume);
        if ((volume.attachment?.detachedAt ?? Infinity) <= now) this.#detached(volume, now);
        if ((volume.goneAt ?? Infinity) <= now) this.#gone(volume, now);
      }
      const after = this.#get(id);
      if (!after || nextVolumeChange(after, now) === Infinity) this.#pending.delete(id);
    }
  }

  #attached(volume: Volume): void {
    this.#tell('volume-attached', volume);
    if (volume.attachment) this.parts.onMounts(volume.attachment.instanceId);
  }

  #detached(volume: Volume, now: number): void {
    const instanceId = volume.attachment?.instanceId ?? '';
    const instance = this.parts.books.get('instance', instanceId);
    const puts: BooksPut[] = [put({ ...volume, attachment: null })];
    if (instance) {
      const devices = instance.devices.filter(({ volumeId }) => volumeId !== volume.id);
      puts.push(['instance', instanceId, { ...instance, devices }]);
    }
    this.parts.books.commit(now, puts);
    this.#tell('volume-detached', volume);
    this.parts.onMounts(instanceId);
  }

  #gone(volume: Volume, now: number): void {
    this.parts.books.commit(now, [['volume', volume.id, null]]);
    this.parts.files.dropVolume(volume.id).catch(this.parts.onError);
    this.#tell('volume-deleted', volume);
  }

  #fill(volume: Volume | undefined): void {
    if (volume?.snapshotId) this.parts.files.fill(volume.id, volume.snapshotId).catch(this.parts.onError);
  }

  #keep(volume: Volume, now: number, also: readonly BooksPut[] = []): void {
    this.parts.books.commit(now, [put(volume), ...also]);
    this.#pending.add(volume.id);
  }

  #get(id: string): Volume | undefined {
    return this.parts.books.get('volume', id);
  }

  #draw(): number {
    return drawSeconds(this.parts.durations.volume, 0, this.parts.random);
  }

  #tell(kind: string, { id, zone, attachment }: Volume): void {
    this.parts.events.append({
      kind,
      volume_id: id,
      zone,
      ...(attachment && { instance_id: attachment.instanceId, device: attachment.device }),
    });
  }
}

function put(volume: Volume): BooksPut {
  return ['volume', volume.id, volume];
}
