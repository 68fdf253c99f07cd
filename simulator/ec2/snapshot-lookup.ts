/** Snapshots by the ids of a request. */
import type { Cloud } from '../cloud';
import type { Snapshot } from '../books/entities';
import { snapshotState } from '../storage/states';
import { Ec2Error } from './errors';
import { readIds } from './resource-ids';

const ID = { prefix: 'snap', parameter: 'snapshotId', malformed: 'InvalidSnapshotID.Malformed' };

/** All of them. @throws Ec2Error InvalidSnapshotID.Malformed, InvalidParameterValue or InvalidSnapshot.NotFound. */
export function findSnapshots(cloud: Cloud, region: string, ids: readonly string[]): Snapshot[] {
  const found = readIds(ids, ID).map((id) => [id, cloud.books.get('snapshot', id)] as const);
  return found.map(([id, snapshot]) => {
    if (snapshot?.region === region) return snapshot;
    throw new Ec2Error('InvalidSnapshot.NotFound', `The snapshot '${id}' does not exist.`);
  });
}

export function findSnapshot(cloud: Cloud, region: string, id: string): Snapshot {
  return findSnapshots(cloud, region, [id])[0] as Snapshot;
}

/** One that a volume can be made of. @throws Ec2Error IncorrectState until it is completed. */
export function findCompletedSnapshot(cloud: Cloud, region: string, id: string, now: number): Snapshot {
  const snapshot = findSnapshot(cloud, region, id);
  if (snapshotState(snapshot, now) !== 'completed') {
    throw new Ec2Error('IncorrectState', `Snapshot '${id}' is not 'completed'.`);
  }
  return snapshot;
}
