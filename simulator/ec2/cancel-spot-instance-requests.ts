import { missing } from './errors';
import { refuseDryRun } from './request';
import type { Ec2Action } from './request';
import { findSpotRequests } from './spot-request-lookup';

/** All or none. A running instance goes on without its request; one that is stopped is terminated. */
export const cancelSpotInstanceRequests: Ec2Action = {
  parameters: ['SpotInstanceRequestId', 'DryRun'],
  run({ cloud, region, parameters }) {
    const ids = parameters.list('SpotInstanceRequestId');
    if (ids.length === 0) throw missing('SpotInstanceRequestId');
    const requests = findSpotRequests(cloud, region, ids);
    refuseDryRun(parameters);
    return {
      spotInstanceRequestSet: cloud.cancelSpotRequests(requests).map(({ id, state }) => ({
        spotInstanceRequestId: id,
        state,
      })),
    };
  },
};
