import { Ec2Error, missing } from './errors';
import { refuseDryRun } from './request';
import type { Ec2Action } from './request';
import { findSnapshot } from './snapshot-lookup';

/** Refused while an image needs it, a disabled one too; volumes made of it don't mind. */
export const deleteSnapshot: Ec2Action = {
  parameters: ['SnapshotId', 'DryRun'],
  run({ cloud, region, parameters, now }) {
    const id = parameters.text('SnapshotId');
    if (id === null) throw missing('SnapshotId');
    const snapshot = findSnapshot(cloud, region, id);
    const [image] = cloud.storage.snapshots.usersOf(id, now);
    if (image !== undefined) {
      throw new Ec2Error('InvalidSnapshot.InUse', `The snapshot ${id} is currently in use by ${image}`);
    }
    refuseDryRun(parameters);
    cloud.storage.snapshots.remove(snapshot, now);
    cloud.advance();
    return { return: true };
  },
};
