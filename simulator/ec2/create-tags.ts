import { missing, Ec2Error } from './errors';
import { findImages, isBaseImage } from './image-catalog';
import { findInstances } from './instance-lookup';
import { refuseDryRun } from './request';
import type { Ec2Action } from './request';
import { addTags, readTags } from './tags';

/** Of instances and images; all or none. */
export const createTags: Ec2Action = {
  parameters: ['ResourceId', 'Tag', 'DryRun'],
  run({ cloud, region, parameters }) {
    const ids = parameters.list('ResourceId');
    if (ids.length === 0) throw missing('ResourceIdSet');
    const tags = readTags(parameters);
    if (Object.keys(tags).length === 0) throw missing('TagSet');
    const other = ids.find((id) => !/^(i|ami)-/.test(id));
    if (other !== undefined) {
      throw new Ec2Error(
        'InvalidID',
        `The ID '${other}' is not valid: instances and images can be tagged here`,
      );
    }
    const instances = findInstances(
      cloud,
      region,
      ids.filter((id) => id.startsWith('i-')),
    );
    const images = findImages(
      cloud,
      region,
      ids.filter((id) => id.startsWith('ami-')),
    );
    if (images.some(isBaseImage)) {
      throw new Ec2Error(
        'UnauthorizedOperation',
        'You are not authorized to perform this operation on a public image.',
      );
    }
    const tagged = <R extends { tags: typeof tags }>(resource: R): R => ({
      ...resource,
      tags: addTags(resource.tags, tags),
    });
    const changed = [instances.map(tagged), images.map(tagged)] as const;
    refuseDryRun(parameters);
    cloud.retag(...changed);
    return { return: true };
  },
};
