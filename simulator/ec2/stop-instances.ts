import type { Instance } from '../books/entities';
import type { Cloud } from '../cloud';
import { isActive } from '../instances/lifecycle';
import { Ec2Error, missing } from './errors';
import { findInstances } from './instance-lookup';
import { refuseDryRun } from './request';
import type { Ec2Action } from './request';
import { stateChanges } from './state-change';

/** All or none. Stopping what is stopped is no error. */
export const stopInstances: Ec2Action = {
  parameters: ['InstanceId', 'Hibernate', 'Force', 'SkipOsShutdown', 'DryRun'],
  run({ cloud, region, parameters }) {
    const ids = parameters.list('InstanceId');
    if (ids.length === 0) throw missing('InstanceId');
    const hibernate = parameters.boolean('Hibernate') ?? false;
    const force = parameters.boolean('Force') ?? false;
    if (hibernate && force) {
      throw new Ec2Error(
        'InvalidParameterCombination',
        'The parameters Hibernate and Force cannot be used together.',
      );
    }
    const before = findInstances(cloud, region, ids);
    for (const instance of before) refuseStop(cloud, instance, hibernate);
    refuseDryRun(parameters);
    if (force) for (const { id } of before) cloud.machines.crash(id);
    cloud.stopInstances(before, { hibernate });
    return stateChanges(cloud, before);
  },
};

function refuseStop(cloud: Cloud, instance: Instance, hibernate: boolean): void {
  const { id, state, spotRequestId } = instance;
  if (state === 'stopping' || state === 'stopped') return;
  if (!isActive(instance) || (state === 'pending' && hibernate)) {
    throw new Ec2Error(
      'IncorrectInstanceState',
      `This instance '${id}' is not in a state from which it can be stopped.`,
    );
  }
  if (spotRequestId !== null) refuseSpotStop(cloud, id, spotRequestId);
  if (instance.disableApiStop) {
    throw new Ec2Error(
      'OperationNotPermitted',
      `The instance '${id}' may not be stopped. Modify its 'disableApiStop' instance attribute and try again.`,
    );
  }
  if (hibernate && !instance.hibernationConfigured) {
    throw new Ec2Error(
      'UnsupportedHibernationConfiguration',
      `The instance can't be hibernated because it was not configured at launch for hibernation: ${id}`,
    );
  }
}

/** Only a persistent request that still stands could start it again. */
function refuseSpotStop(cloud: Cloud, id: string, spotRequestId: string): void {
  const request = cloud.books.get('spotRequest', spotRequestId);
  if (request?.type !== 'persistent') {
    throw new Ec2Error(
      'UnsupportedOperation',
      `You can't stop the Spot Instance '${id}' because it is associated with a one-time Spot Instance request. You can only stop Spot Instances associated with persistent Spot Instance requests.`,
    );
  }
  if (request.state === 'cancelled') {
    throw new Ec2Error(
      'UnsupportedOperation',
      `You can't stop the Spot Instance '${id}' because its Spot Instance request is cancelled. You can only terminate it.`,
    );
  }
}
