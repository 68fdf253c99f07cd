import type { Image } from '../books/entities';
import type { Cloud } from '../cloud';
import { missing } from './errors';
import { findOwnImage } from './image-catalog';
import { refuseDryRun } from './request';
import type { Ec2Action } from './request';
import type { XmlElements } from './xml';

/** Its instances go on, and its name is free again. Its snapshots stay unless they are to go too. */
export const deregisterImage: Ec2Action = {
  parameters: ['ImageId', 'DeleteAssociatedSnapshots', 'DryRun'],
  run({ cloud, region, parameters, now }) {
    const id = parameters.text('ImageId');
    if (id === null) throw missing('ImageId');
    const deletes = parameters.boolean('DeleteAssociatedSnapshots') ?? false;
    const image = findOwnImage(cloud, region, id);
    refuseDryRun(parameters);
    cloud.storage.images.deregister(image, now);
    const results = deletes ? deleteSnapshots(cloud, image, now) : null;
    cloud.advance();
    return { return: true, deleteSnapshotResultSet: results };
  },
};

function deleteSnapshots(cloud: Cloud, image: Image, now: number): XmlElements[] {
  const { snapshots } = cloud.storage;
  return image.disks.flatMap(({ snapshotId }): XmlElements[] => {
    const snapshot = snapshotId === null ? undefined : cloud.books.get('snapshot', snapshotId);
    if (!snapshot) return [];
    const isUsed = snapshots.usersOf(snapshot.id, now).length > 0;
    if (!isUsed) snapshots.remove(snapshot, now);
    return [{ snapshotId: snapshot.id, returnCode: isUsed ? 'skipped' : 'success' }];
  });
}
