/**
 * What images, snapshots and volumes are at a moment. Pure functions of the record and the cloud second.
 *
 *     image      pending → available ⇄ disabled → deregistered → forgotten;  pending → failed → deregistered
 *     snapshot   pending → completed → gone;  pending → error
 *     volume     creating → available ⇄ in-use;  available → deleting → gone
 *     attachment attaching → attached → detaching → none
 */
import type { Image, Snapshot, Volume, VolumeAttachment } from '../books/entities';

export type ImageState = 'pending' | 'available' | 'disabled' | 'failed' | 'deregistered';
export type SnapshotState = 'pending' | 'completed' | 'error';
export type VolumeState = 'creating' | 'available' | 'in-use' | 'deleting';
export type AttachmentState = 'attaching' | 'attached' | 'detaching';

export function imageState(image: Image, now: number): ImageState {
  if (image.deregisteredAt !== null) return 'deregistered';
  if (image.availableAt > now) return 'pending';
  if (image.failure) return 'failed';
  return image.disabled ? 'disabled' : 'available';
}

export function snapshotState(snapshot: Snapshot, now: number): SnapshotState {
  if (snapshot.failure !== null) return 'error';
  return snapshot.completedAt > now ? 'pending' : 'completed';
}

/** Per cent, whole. */
export function snapshotProgress({ startedAt, completedAt }: Snapshot, now: number): number {
  if (completedAt <= now) return 100;
  return Math.floor(((now - startedAt) / (completedAt - startedAt)) * 100);
}

export function volumeState(volume: Volume, now: number): VolumeState {
  if (volume.goneAt !== null) return 'deleting';
  if (volume.availableAt > now) return 'creating';
  return volume.attachment ? 'in-use' : 'available';
}

export function attachmentState(attachment: VolumeAttachment, now: number): AttachmentState {
  if (attachment.detachedAt !== null) return 'detaching';
  return attachment.settledAt > now ? 'attaching' : 'attached';
}

/** When a volume changes by itself next, after `now`; Infinity when it doesn't. */
export function nextVolumeChange({ availableAt, attachment, goneAt }: Volume, now: number): number {
  // What ends by itself stays due until it is written down.
  const ends = [goneAt, attachment?.detachedAt].filter((moment) => typeof moment === 'number');
  const comes = [availableAt, attachment?.settledAt ?? -Infinity].filter((moment) => moment > now);
  return Math.min(Infinity, ...ends, ...comes);
}
