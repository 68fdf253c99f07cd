/** From what a launch asks for, and the place that was found, to the instances' records. */
import type { Instance, Tags } from '../books/entities';
import { newId } from '../ids';
import { newInstance } from '../instances/new-instance';
import { instanceTypeFacts } from '../market/instance-types';
import type { SpotTerms } from '../spot/request-life';
import type { LaunchDisks } from '../storage/disks';
import { ROOT_DEVICE } from '../storage/disks';
import { Ec2Error, invalid } from './errors';
import type { LaunchRequest } from './launch-request';
import type { Place } from './launch-pools';
import type { Ec2Request } from './request';

export interface Launch {
  readonly wanted: LaunchRequest;
  readonly place: Place;
  readonly clientToken: string | null;
  /** Tags that EC2 itself adds. */
  readonly systemTags?: Tags;
}

/** Of one reservation. */
export function draftInstances({ cloud, region, now }: Ec2Request, launch: Launch): Instance[] {
  const { wanted, place, clientToken, systemTags = {} } = launch;
  const { market, imageId, instanceType, userData, keyName, instanceProfile, tags } = wanted;
  const { disableApiTermination, disableApiStop, shutdownBehavior, metadataTags } = wanted;
  const reservationId = newId('r');
  return Array.from({ length: place.count }, (_, launchIndex) =>
    newInstance({
      ...{ region, zone: place.pool.zone, instanceType, imageId, reservationId, launchIndex },
      ...{ clientToken, userData, keyName, instanceProfile, tags: { ...tags, ...systemTags } },
      ...{ disableApiTermination, disableApiStop, shutdownBehavior, metadataTags },
      option: market.option,
      hibernationConfigured: market.hibernation,
      interruptionBehavior: market.interruptionBehavior,
      now,
      runsAt: now + cloud.draw('boot'),
      visibleAt: now + cloud.draw('consistency'),
    }),
  );
}

/** Null for on-demand. @throws Ec2Error for a request that would be over already. */
export function spotTerms(
  { cloud, now }: Ec2Request,
  { market, requestTags }: LaunchRequest,
): SpotTerms | null {
  if (market.option === 'ondemand') return null;
  const { type, maxPrice } = market;
  const validUntil = market.validUntil === null ? null : cloud.clock.cloudAt(market.validUntil);
  if (validUntil !== null && validUntil <= now)
    throw invalid(`Invalid value '${market.validUntil?.toISOString()}' for ValidUntil. It is in the past`);
  return { type, maxPrice, validUntil, tags: requestTags };
}

/**
 * What hibernation needs: a type that can, and an encrypted root volume. That the memory fits on it, and that the image
 * can, is taken for granted.
 * @throws Ec2Error UnsupportedHibernationConfiguration.
 */
export function refuseHibernation({ instanceType, market }: LaunchRequest, { disks }: LaunchDisks): void {
  if (!market.hibernation && market.interruptionBehavior !== 'hibernate') return;
  if (!instanceTypeFacts(instanceType).hibernation) {
    throw new Ec2Error(
      'UnsupportedHibernationConfiguration',
      `The instance type ${instanceType} does not support hibernation.`,
    );
  }
  if (!disks.find(({ device }) => device === ROOT_DEVICE)?.encrypted) {
    throw new Ec2Error(
      'UnsupportedHibernationConfiguration',
      'For hibernation, the root device volume must be encrypted.',
    );
  }
}
