import { readFilters } from './filters';
import { readPage, takePage } from './paging';
import type { Ec2Action } from './request';
import { taggedResources } from './taggable';

interface Tag {
  readonly resourceId: string;
  readonly resourceType: string;
  readonly key: string;
  readonly value: string;
}

export const describeTags: Ec2Action = {
  parameters: ['Filter', 'MaxResults', 'NextToken', 'DryRun'],
  run({ cloud, region, parameters, now }) {
    const page = readPage(parameters, { min: 5, max: 1000, usual: 1000 });
    const matches = readFilters(parameters, filterValues, SAMPLE);
    const all = taggedResources(cloud, region).flatMap(({ tags, ...resource }) =>
      Object.entries(tags).map(([key, value]): Tag => ({ ...resource, key, value })),
    );
    const { items, nextToken } = takePage(all.filter(matches), page, now);
    return {
      tagSet: items.map(({ resourceId, resourceType, key, value }) => ({
        resourceId,
        resourceType,
        key,
        value,
      })),
      nextToken,
    };
  },
};

function filterValues(tag: Tag, filter: string): readonly string[] | null {
  if (filter.startsWith('tag:')) return tag.key === filter.slice('tag:'.length) ? [tag.value] : [];
  switch (filter) {
    case 'key':
      return [tag.key];
    case 'value':
      return [tag.value];
    case 'resource-id':
      return [tag.resourceId];
    case 'resource-type':
      return [tag.resourceType];
    default:
      return null;
  }
}

const SAMPLE: Tag = { resourceId: '', resourceType: '', key: '', value: '' };
