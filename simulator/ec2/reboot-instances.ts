import { isActive } from '../instances/lifecycle';
import { Ec2Error, missing } from './errors';
import { findInstances } from './instance-lookup';
import { refuseDryRun } from './request';
import type { Ec2Action } from './request';

/** All or none, and only queued: the answer doesn't wait for it. */
export const rebootInstances: Ec2Action = {
  parameters: ['InstanceId', 'DryRun'],
  run({ cloud, region, parameters }) {
    const ids = parameters.list('InstanceId');
    if (ids.length === 0) throw missing('InstanceId');
    const instances = findInstances(cloud, region, ids);
    const other = instances.find((instance) => !isActive(instance));
    if (other) {
      throw new Ec2Error(
        'IncorrectInstanceState',
        `The instance '${other.id}' is not in a state from which it can be rebooted.`,
      );
    }
    refuseDryRun(parameters);
    for (const { id } of instances) cloud.reboot(id);
    return { return: true };
  },
};
