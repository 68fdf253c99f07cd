import type { Volume } from '../books/entities';
import type { Cloud } from '../cloud';
import { attachmentState, volumeState } from '../storage/states';
import { zoneId } from './describe-availability-zones';
import { Ec2Error } from './errors';
import { readFilters, tagFilterValues } from './filters';
import { readPage, takePage } from './paging';
import type { Ec2Action } from './request';
import { findVolumes } from './volume-lookup';
import { volumeXml } from './volume-xml';

export const describeVolumes: Ec2Action = {
  parameters: ['VolumeId', 'Filter', 'MaxResults', 'NextToken', 'DryRun', 'IncludeManagedResources'],
  run({ cloud, region, parameters, now }) {
    const ids = parameters.list('VolumeId');
    if (ids.length > 0 && parameters.has('MaxResults')) {
      throw new Ec2Error(
        'InvalidParameterCombination',
        'The parameter volumeSet cannot be used with the parameter maxResults',
      );
    }
    const page = readPage(parameters, { min: 5, max: 1000, usual: 1000 });
    const matches = readFilters(
      parameters,
      (volume, filter) => filterValues(cloud, volume, filter, now),
      SAMPLE,
    );
    const known =
      ids.length > 0
        ? findVolumes(cloud, region, ids)
        : cloud.books.all('volume').filter((volume) => volume.region === region);
    const { items, nextToken } = takePage(known.filter(matches), page, now);
    return { volumeSet: items.map((volume) => volumeXml(cloud, volume)), nextToken };
  },
};

function filterValues(cloud: Cloud, volume: Volume, filter: string, now: number): readonly string[] | null {
  if (filter.startsWith('attachment.')) return attachmentValues(cloud, volume, filter, now);
  switch (filter) {
    case 'volume-id':
      return [volume.id];
    case 'status':
      return [volumeState(volume, now)];
    case 'availability-zone':
      return [volume.zone];
    case 'availability-zone-id':
      return [zoneId(volume.zone, volume.region)];
    case 'size':
      return [String(volume.sizeGib)];
    case 'volume-type':
      return [volume.type];
    case 'snapshot-id':
      return volume.snapshotId === null ? [] : [volume.snapshotId];
    case 'create-time':
      return [cloud.clock.wallAt(volume.createdAt).toISOString()];
    case 'encrypted':
      return [String(volume.encrypted)];
    case 'multi-attach-enabled':
    case 'fast-restored':
      return ['false'];
    default:
      return tagFilterValues(volume.tags, filter);
  }
}

function attachmentValues(
  cloud: Cloud,
  { attachment }: Volume,
  filter: string,
  now: number,
): readonly string[] | null {
  const one = (value: string): readonly string[] => (attachment ? [value] : []);
  switch (filter) {
    case 'attachment.instance-id':
      return one(attachment?.instanceId ?? '');
    case 'attachment.device':
      return one(attachment?.device ?? '');
    case 'attachment.status':
      return attachment ? [attachmentState(attachment, now)] : [];
    case 'attachment.delete-on-termination':
      return one(String(attachment?.deleteOnTermination));
    case 'attachment.attach-time':
      return attachment ? [cloud.clock.wallAt(attachment.attachedAt).toISOString()] : [];
    default:
      return null;
  }
}

const SAMPLE: Volume = {
  id: '',
  region: 'xx-xx-1',
  zone: 'xx-xx-1a',
  sizeGib: 1,
  type: 'gp3',
  iops: null,
  throughput: null,
  encrypted: false,
  snapshotId: null,
  tags: {},
  createdAt: 0,
  availableAt: 0,
  attachment: null,
  goneAt: null,
};
