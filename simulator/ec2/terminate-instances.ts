import { USER_ENDED } from '../instances/lifecycle';
import { missing } from './errors';
import { findInstances } from './instance-lookup';
import { stateXml } from './instance-xml';
import { refuseDryRun } from './request';
import type { Ec2Action } from './request';

/** Ending what has ended is no error; one unknown id and none is ended. */
export const terminateInstances: Ec2Action = {
  parameters: ['InstanceId', 'DryRun', 'Force', 'SkipOsShutdown'],
  run({ cloud, region, parameters }) {
    const ids = parameters.list('InstanceId');
    if (ids.length === 0) throw missing('InstanceId');
    const before = findInstances(cloud, region, ids);
    refuseDryRun(parameters);
    cloud.endInstances(before, USER_ENDED);
    return {
      instancesSet: before.map((instance) => ({
        instanceId: instance.id,
        currentState: stateXml(cloud.books.get('instance', instance.id)?.state ?? 'terminated'),
        previousState: stateXml(instance.state),
      })),
    };
  },
};
