/** The EC2 steps of one account in one region. */
import { ApplicationFailure } from '@temporalio/common';
import { CloudError } from '../cloud/cloud-error';
import type { Ec2Activities, HibernationActivities } from '../contracts/activities';
import { failureTypes } from '../contracts/activities';
import { markSeen } from '../db/instances';
import { choosePools } from '../policy/pool-choice';
import { placeReplica } from '../policy/replica-placement';
import { ec2Step } from './cloud-failures';
import { agentTags, type Ec2Dependencies } from './ec2-dependencies';
import { createHibernationActivities } from './hibernation-activities';
import { SIGHTINGS } from './instance-sightings';
import { createLaunchActivities } from './launch-activities';
import { createTerminationActivities } from './termination-activities';

export function createEc2Activities(dependencies: Ec2Dependencies): Ec2Activities & HibernationActivities {
  const { cloud, db } = dependencies;
  return {
    ...createLaunchActivities(dependencies),
    ...createTerminationActivities(dependencies),
    ...createHibernationActivities(dependencies),

    planSwitch: (request) =>
      ec2Step(async () => {
        const { from } = request;
        const [zones, prices, image] = await Promise.all([
          cloud.market.zones(),
          cloud.market.spotPrices([from.instanceType]),
          cloud.images.newest(agentTags(request)),
        ]);
        const imageId = image?.imageId ?? from.imageId ?? noImage(request.agentId, from.instanceId);
        const pools = choosePools(
          { ...request, current: { instanceType: from.instanceType, zone: from.zone, option: from.mode } },
          {
            instanceType: from.instanceType,
            zones,
            spotPrices: new Map(prices.map(({ zone, priceUsdPerHour }) => [zone, priceUsdPerHour])),
          },
        );
        return { pools, imageId, reason: `${pools.length} pools, cheapest spot first, on-demand last` };
      }),

    planReplica: (request) =>
      ec2Step(async () => {
        const { agentId, primary, alternativeInstanceTypes } = request;
        const types = [...new Set([primary.instanceType, ...alternativeInstanceTypes])];
        const [zones, spotPrices, image] = await Promise.all([
          cloud.market.zones(),
          cloud.market.spotPrices(types),
          cloud.images.newest(agentTags(request)),
        ]);
        const imageId = image?.imageId ?? primary.imageId ?? noImage(agentId, primary.instanceId);
        const pool = { instanceType: primary.instanceType, zone: primary.zone, option: primary.mode };
        const pools = placeReplica(pool, alternativeInstanceTypes, { zones, spotPrices });
        return { pools, imageId, reason: `${pools.length} pools, the least like the primary's first` };
      }),

    lookUpInstance: ({ clientId, instanceId }) =>
      ec2Step(async () => {
        try {
          const found = await cloud.instances.describeOne(instanceId);
          if (found === null) return { sighting: 'not_found' as const, message: 'it knows no such instance' };
          await markSeen(db, clientId, instanceId);
          return {
            sighting: SIGHTINGS[found.state],
            message: `${found.state}${found.stateReason && ` (${found.stateReason})`}`,
          };
        } catch (error) {
          if (error instanceof CloudError) return { sighting: 'unknown' as const, message: error.message };
          throw error;
        }
      }),
  };
}

function noImage(agentId: string, instanceId: string): never {
  const reason = `Agent ${agentId} has no image to launch from: ${instanceId} named none when it registered, and none is tagged for the agent.`;
  throw ApplicationFailure.nonRetryable(reason, failureTypes.never);
}
