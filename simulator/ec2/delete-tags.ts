import type { Tags } from '../books/entities';
import { missing } from './errors';
import type { QueryParameters } from './query-parameters';
import { refuseDryRun } from './request';
import type { Ec2Action } from './request';
import { retag } from './taggable';

/** By key, or by key and value; all of them when none is named. What a resource doesn't have is no error. */
export const deleteTags: Ec2Action = {
  parameters: ['ResourceId', 'Tag', 'DryRun'],
  run({ cloud, region, parameters, now }) {
    const ids = [...new Set(parameters.list('ResourceId'))];
    if (ids.length === 0) throw missing('ResourceIdSet');
    const isDeleted = readDeleted(parameters);
    const changes = retag(cloud, region, ids, (tags) => without(tags, isDeleted));
    refuseDryRun(parameters);
    cloud.books.commit(now, changes);
    return { return: true };
  },
};

type IsDeleted = (key: string, value: string) => boolean;

function readDeleted(parameters: QueryParameters): IsDeleted {
  const named = parameters.groups('Tag').map((tag) => ({
    key: tag.required('Key'),
    // An empty value is one, too.
    value: tag.has('Value') ? (tag.text('Value') ?? '') : null,
  }));
  return (key, value) =>
    named.length === 0 || named.some((tag) => tag.key === key && (tag.value === null || tag.value === value));
}

function without(tags: Tags, isDeleted: IsDeleted): Tags {
  return Object.fromEntries(Object.entries(tags).filter(([key, value]) => !isDeleted(key, value)));
}
