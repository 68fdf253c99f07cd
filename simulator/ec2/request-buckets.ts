/** EC2's documented request and resource token buckets ("Request throttling for the Amazon EC2 API"), for the actions known here. */
import type { BucketSize } from '../books/settings';
import type { Draw } from '../services/throttle';
import type { QueryParameters } from './query-parameters';

const READING: BucketSize = { capacity: 100, refill: 20 };
/** Of a call that names neither a filter nor a page size, where the action tells these apart. */
const READING_ALL: BucketSize = { capacity: 50, refill: 10 };
const CHANGING: BucketSize = { capacity: 50, refill: 5 };

const READ_ALL_ACTIONS = new Set([
  'DescribeInstances',
  'DescribeInstanceStatus',
  'DescribeNetworkInterfaces',
  'DescribeSecurityGroups',
  'DescribeSnapshots',
  'DescribeSpotInstanceRequests',
  'DescribeVolumes',
]);

/** The actions that stand outside the categories. */
const OWN: ReadonlyMap<string, BucketSize> = new Map([
  ['CopyImage', { capacity: 100, refill: 1 }],
  ['CreateSnapshot', { capacity: 100, refill: 5 }],
  ['CreateSnapshots', { capacity: 100, refill: 5 }],
  ['CreateTags', { capacity: 100, refill: 10 }],
  ['CreateVolume', { capacity: 100, refill: 5 }],
  ['DeleteSnapshot', { capacity: 100, refill: 5 }],
  ['DeleteTags', { capacity: 100, refill: 10 }],
  ['DeleteVolume', { capacity: 100, refill: 5 }],
  ['DeregisterImage', { capacity: 100, refill: 5 }],
  ['ModifyImageAttribute', { capacity: 100, refill: 5 }],
  ['ModifyInstanceMetadataOptions', { capacity: 100, refill: 5 }],
  ['ModifySnapshotAttribute', { capacity: 100, refill: 5 }],
  ['RunInstances', { capacity: 5, refill: 2 }],
  ['StartInstances', { capacity: 5, refill: 2 }],
  ['TerminateInstances', { capacity: 100, refill: 5 }],
]);

const RESOURCES: ReadonlyMap<string, BucketSize> = new Map([
  ['RunInstances', { capacity: 1000, refill: 2 }],
  ['StartInstances', { capacity: 1000, refill: 2 }],
  ['StopInstances', { capacity: 1000, refill: 20 }],
  ['TerminateInstances', { capacity: 1000, refill: 20 }],
]);

export function isReading(action: string): boolean {
  return /^(Describe|Get|List|Search)/.test(action);
}

/** What a call draws from its buckets. */
export function drawsOf(action: string, parameters: QueryParameters): Draw[] {
  const all = READ_ALL_ACTIONS.has(action) && !parameters.has('Filter') && !parameters.has('MaxResults');
  const category = all ? READING_ALL : isReading(action) ? READING : CHANGING;
  return [
    { kind: 'request', tokens: 1, documented: OWN.get(action) ?? category, variant: all ? 'all' : '' },
    { kind: 'resource', tokens: resourcesOf(parameters), documented: RESOURCES.get(action) ?? null },
  ];
}

/** How many instances a call is about; a number that isn't one counts as one, and is refused later. */
function resourcesOf(parameters: QueryParameters): number {
  const most = Number(parameters.text('MaxCount') ?? NaN);
  if (Number.isInteger(most) && most > 0) return most;
  const ids = [...parameters.flat.keys()].filter((name) => name.startsWith('InstanceId.')).length;
  return Math.max(1, ids);
}
