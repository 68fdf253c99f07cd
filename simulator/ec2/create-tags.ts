import { missing } from './errors';
import { refuseDryRun } from './request';
import type { Ec2Action } from './request';
import { retag } from './taggable';
import { addTags, readTags } from './tags';

/** Of any kinds of resources together; all or none. */
export const createTags: Ec2Action = {
  parameters: ['ResourceId', 'Tag', 'DryRun'],
  run({ cloud, region, parameters, now }) {
    const ids = [...new Set(parameters.list('ResourceId'))];
    if (ids.length === 0) throw missing('ResourceIdSet');
    const more = readTags(parameters);
    if (Object.keys(more).length === 0) throw missing('TagSet');
    const changes = retag(cloud, region, ids, (tags) => addTags(tags, more));
    refuseDryRun(parameters);
    cloud.books.commit(now, changes);
    return { return: true };
  },
};
