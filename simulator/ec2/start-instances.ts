import type { Instance } from '../books/entities';
import { missing, Ec2Error } from './errors';
import { shortageError, unsupported } from './capacity-errors';
import { findInstances } from './instance-lookup';
import { refuseDryRun } from './request';
import type { Ec2Action, Ec2Request } from './request';
import { stateChanges } from './state-change';

/** All or none. Starting what runs is no error; what is started needs room, as a launch does. */
export const startInstances: Ec2Action = {
  parameters: ['InstanceId', 'AdditionalInfo', 'DryRun'],
  run(request) {
    const { cloud, region, parameters } = request;
    const ids = parameters.list('InstanceId');
    if (ids.length === 0) throw missing('InstanceId');
    const before = findInstances(cloud, region, ids);
    const stopped = before.filter(({ state }) => state !== 'pending' && state !== 'running');
    const taken: Instance[] = [];
    for (const instance of stopped) {
      refuseState(request, instance);
      refuseWithoutRoom(request, instance, taken);
      taken.push({ ...instance, state: 'pending' });
    }
    refuseDryRun(parameters);
    cloud.startInstances(stopped);
    return stateChanges(cloud, before);
  },
};

/** A spot instance that EC2 stopped is EC2's to start. */
function refuseState({ cloud }: Ec2Request, { id, state, spotRequestId }: Instance): void {
  const request = spotRequestId === null ? undefined : cloud.books.get('spotRequest', spotRequestId);
  const byUser = request?.state === 'disabled' && request.status.code === 'instance-stopped-by-user';
  if (spotRequestId !== null && (state === 'stopping' || state === 'stopped') && !byUser) {
    throw new Ec2Error(
      'IncorrectSpotRequestState',
      `You can't start the Spot Instance '${id}' because the associated Spot Instance request is not in an appropriate state to support start.`,
    );
  }
  if (state !== 'stopped') {
    throw new Ec2Error(
      'IncorrectInstanceState',
      `The instance '${id}' is not in a state from which it can be started.`,
    );
  }
}

function refuseWithoutRoom(
  { cloud, region }: Ec2Request,
  instance: Instance,
  taken: readonly Instance[],
): void {
  const { zone, instanceType, option, spotRequestId } = instance;
  const pool = cloud.market.pool(zone, instanceType);
  if (!pool) throw unsupported(cloud, region, instanceType, zone);
  const request = spotRequestId === null ? undefined : cloud.books.get('spotRequest', spotRequestId);
  const maxPrice = request?.maxPrice ?? null;
  const room = cloud.findRoom({ pool, option, maxPrice, min: 1, max: 1, hasAddress: true, taken });
  if (typeof room !== 'number') throw shortageError(cloud, room, { pool, option, min: 1, maxPrice });
}
