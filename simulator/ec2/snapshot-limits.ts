/** What every way of making snapshots keeps to. */
import type { Volume } from '../books/entities';
import type { Cloud } from '../cloud';
import { volumeState } from '../storage/states';
import { Ec2Error, invalid } from './errors';
import type { QueryParameters } from './query-parameters';

const LONGEST_DESCRIPTION = 255;
const SECONDS_BETWEEN = 15;

export function readDescription(parameters: QueryParameters): string {
  const description = parameters.text('Description') ?? '';
  if (description.length > LONGEST_DESCRIPTION)
    throw invalid(`Description exceeds the maximum length of ${LONGEST_DESCRIPTION} characters.`);
  return description;
}

/** @throws Ec2Error while a volume is being made, or too many snapshots of it. */
export function refuseTooMany(cloud: Cloud, volumes: readonly Volume[], now: number): void {
  for (const volume of volumes) {
    const state = volumeState(volume, now);
    if (state === 'creating' || state === 'deleting') {
      throw new Ec2Error('IncorrectState', `The volume '${volume.id}' is '${state}'`);
    }
    const pending = cloud.storage.snapshots.pendingOf(volume.id, now);
    if (pending.length >= (volume.type === 'st1' || volume.type === 'sc1' ? 1 : 5)) {
      throw new Ec2Error(
        'ConcurrentSnapshotLimitExceeded',
        'Maximum allowed in-progress snapshots for a single volume exceeded.',
      );
    }
    if (pending.some(({ startedAt }) => startedAt > now - SECONDS_BETWEEN)) {
      throw new Ec2Error(
        'SnapshotCreationPerVolumeRateExceeded',
        'The maximum per volume CreateSnapshot request rate has been exceeded. Use an increasing or variable sleep interval between requests.',
      );
    }
  }
}
