/** A snapshot as EC2 shows it. CreateSnapshots calls the state `state`, everything else `status`. */
import type { Cloud } from '../cloud';
import type { Snapshot } from '../books/entities';
import { snapshotProgress, snapshotState } from '../storage/states';
import { tagSet } from './tags';
import type { XmlElements } from './xml';

export function snapshotXml(cloud: Cloud, snapshot: Snapshot): XmlElements {
  const now = cloud.clock.now();
  const state = snapshotState(snapshot, now);
  return {
    ...commonXml(cloud, snapshot),
    status: state,
    statusMessage: snapshot.failure,
    completionTime: state === 'completed' ? cloud.clock.wallAt(snapshot.completedAt) : null,
    storageTier: 'standard',
  };
}

export function snapshotOfSetXml(cloud: Cloud, snapshot: Snapshot): XmlElements {
  return { ...commonXml(cloud, snapshot), state: snapshotState(snapshot, cloud.clock.now()) };
}

function commonXml(cloud: Cloud, snapshot: Snapshot): XmlElements {
  return {
    snapshotId: snapshot.id,
    volumeId: snapshot.volumeId,
    startTime: cloud.clock.wallAt(snapshot.startedAt),
    progress: progressOf(snapshot, cloud.clock.now()),
    ownerId: cloud.accountId,
    volumeSize: snapshot.sizeGib,
    description: snapshot.description,
    encrypted: snapshot.encrypted,
    tagSet: tagSet(snapshot.tags),
  };
}

export function progressOf(snapshot: Snapshot, now: number): string {
  return `${snapshotProgress(snapshot, now)}%`;
}
