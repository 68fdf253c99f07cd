/** Lists of what the cloud has beside instances. */
import { z } from 'zod';
import type { Cloud } from '../cloud';
import { imageState, snapshotState, volumeState } from '../storage/states';
import { check } from './route';
import type { Route } from './route';

const failNextSchema = z.strictObject({ count: z.number().int().min(0).max(1_000_000).default(1) });

export const RESOURCE_ROUTES: readonly Route[] = [
  {
    method: 'GET',
    path: /^\/volumes$/,
    run: ({ cloud }) =>
      cloud.books.all('volume').map((volume) => ({
        volume_id: volume.id,
        region: volume.region,
        zone: volume.zone,
        size_gib: volume.sizeGib,
        type: volume.type,
        state: volumeState(volume, cloud.clock.now()),
        snapshot_id: volume.snapshotId,
        tags: volume.tags,
        create_time: wallTime(cloud, volume.createdAt),
        attachment: volume.attachment && {
          instance_id: volume.attachment.instanceId,
          device: volume.attachment.device,
          delete_on_termination: volume.attachment.deleteOnTermination,
        },
      })),
  },
  {
    method: 'GET',
    path: /^\/snapshots$/,
    run: ({ cloud }) =>
      cloud.books.all('snapshot').map((snapshot) => ({
        snapshot_id: snapshot.id,
        region: snapshot.region,
        volume_id: snapshot.volumeId,
        size_gib: snapshot.sizeGib,
        description: snapshot.description,
        tags: snapshot.tags,
        state: snapshotState(snapshot, cloud.clock.now()),
        start_time: wallTime(cloud, snapshot.startedAt),
      })),
  },
  {
    method: 'GET',
    path: /^\/images$/,
    run: ({ cloud }) =>
      cloud.books.all('image').map((image) => ({
        image_id: image.id,
        region: image.region,
        name: image.name,
        instance_id: image.sourceInstanceId,
        tags: image.tags,
        state: imageState(image, cloud.clock.now()),
        snapshot_ids: image.disks.flatMap(({ snapshotId }) => snapshotId ?? []),
        create_time: wallTime(cloud, image.createdAt),
      })),
  },
  {
    method: 'POST',
    path: /^\/images\/fail-next$/,
    run: ({ cloud, body }) => {
      const { count } = check(failNextSchema, body);
      cloud.storage.images.failNext(count);
      return { failing: count };
    },
  },
  {
    method: 'GET',
    path: /^\/spot-requests$/,
    run: ({ cloud }) =>
      cloud.books.all('spotRequest').map((request) => ({
        spot_request_id: request.id,
        region: request.region,
        type: request.type,
        interruption_behavior: request.interruptionBehavior,
        state: request.state,
        status: request.status.code,
        instance_id: request.instanceId,
        tags: request.tags,
        create_time: wallTime(cloud, request.createdAt),
      })),
  },
];

function wallTime({ clock }: Cloud, second: number): string {
  return clock.wallAt(second).toISOString();
}
