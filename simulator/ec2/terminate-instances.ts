import type { Instance } from '../books/entities';
import { isOver, USER_ENDED } from '../instances/lifecycle';
import { Ec2Error, missing } from './errors';
import { findInstances } from './instance-lookup';
import { refuseDryRun } from './request';
import type { Ec2Action } from './request';
import { stateChanges } from './state-change';

/**
 * Ending what has ended is no error; one unknown id and none is ended. A protected one fails the call too, but the instances
 * in zones in which none of those named is protected are ended all the same.
 */
export const terminateInstances: Ec2Action = {
  parameters: ['InstanceId', 'DryRun', 'Force', 'SkipOsShutdown'],
  run({ cloud, region, parameters }) {
    const ids = parameters.list('InstanceId');
    if (ids.length === 0) throw missing('InstanceId');
    const before = findInstances(cloud, region, ids);
    const refused = before.find(isProtected);
    if (refused) {
      const guarded = new Set(before.filter(isProtected).map(({ zone }) => zone));
      const free = before.filter(({ zone }) => !guarded.has(zone));
      if (parameters.boolean('DryRun') !== true) cloud.endInstances(free, USER_ENDED);
      throw new Ec2Error(
        'OperationNotPermitted',
        `The instance '${refused.id}' may not be terminated. Modify its '${protectionOf(refused)}' instance attribute and try again.`,
      );
    }
    refuseDryRun(parameters);
    cloud.endInstances(before, USER_ENDED);
    return stateChanges(cloud, before);
  },
};

/** Stop protection keeps an instance from being terminated too. */
function isProtected(instance: Instance): boolean {
  return !isOver(instance) && (instance.disableApiTermination || instance.disableApiStop);
}

function protectionOf({ disableApiTermination }: Instance): string {
  return disableApiTermination ? 'disableApiTermination' : 'disableApiStop';
}
