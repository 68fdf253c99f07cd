import type { Snapshot } from '../books/entities';
import type { Cloud } from '../cloud';
import { snapshotState } from '../storage/states';
import { Ec2Error } from './errors';
import { readFilters, tagFilterValues } from './filters';
import { readPage, takePage } from './paging';
import type { Ec2Action } from './request';
import { findSnapshots } from './snapshot-lookup';
import { progressOf, snapshotXml } from './snapshot-xml';

export const describeSnapshots: Ec2Action = {
  parameters: ['SnapshotId', 'Owner', 'RestorableBy', 'Filter', 'MaxResults', 'NextToken', 'DryRun'],
  run({ cloud, region, parameters, now }) {
    const ids = parameters.list('SnapshotId');
    if (ids.length > 0 && parameters.has('MaxResults')) {
      throw new Ec2Error(
        'InvalidParameterCombination',
        'The parameter snapshotSet cannot be used with the parameter maxResults',
      );
    }
    const page = readPage(parameters, { min: 5, max: 1000, usual: 1000 });
    const matches = readFilters(
      parameters,
      (snapshot, filter) => filterValues(cloud, snapshot, filter, now),
      SAMPLE,
    );
    // All snapshots here are the account's own, and no one else has been let in.
    const isOurs = (names: readonly string[]) =>
      names.length === 0 || names.includes('self') || names.includes(cloud.accountId);
    const shown = isOurs(parameters.list('Owner')) && isOurs(parameters.list('RestorableBy'));
    const known =
      ids.length > 0
        ? findSnapshots(cloud, region, ids)
        : cloud.books.all('snapshot').filter((snapshot) => snapshot.region === region);
    const { items, nextToken } = takePage(shown ? known.filter(matches) : [], page, now);
    return { snapshotSet: items.map((snapshot) => snapshotXml(cloud, snapshot)), nextToken };
  },
};

function filterValues(
  cloud: Cloud,
  snapshot: Snapshot,
  filter: string,
  now: number,
): readonly string[] | null {
  switch (filter) {
    case 'snapshot-id':
      return [snapshot.id];
    case 'volume-id':
      return [snapshot.volumeId];
    case 'volume-size':
      return [String(snapshot.sizeGib)];
    case 'description':
      return [snapshot.description];
    case 'status':
      return [snapshotState(snapshot, now)];
    case 'progress':
      return [progressOf(snapshot, now)];
    case 'start-time':
      return [cloud.clock.wallAt(snapshot.startedAt).toISOString()];
    case 'encrypted':
      return [String(snapshot.encrypted)];
    case 'owner-id':
      return [cloud.accountId];
    case 'owner-alias':
      return [];
    case 'storage-tier':
      return ['standard'];
    default:
      return tagFilterValues(snapshot.tags, filter);
  }
}

const SAMPLE: Snapshot = {
  id: '',
  region: '',
  volumeId: '',
  sizeGib: 1,
  encrypted: false,
  description: '',
  tags: {},
  startedAt: 0,
  completedAt: 0,
  failure: null,
};
