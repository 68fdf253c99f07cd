/**
 * How an instant fleet buys: the pools one after the other, in the order of its strategy, until it has what it was asked
 * for. A pool that is refused leaves its error beside what the others gave. Knowingly simple: `capacity-optimized` and
 * `diversified` know no more of capacity than the order that was given.
 */
import type { EndReason, Image, Instance } from '../books/entities';
import type { FleetTry } from '../books/launch-entities';
import type { LaunchDisks } from '../storage/disks';
import type { SpotTerms } from '../spot/request-life';
import { Ec2Error } from './errors';
import type { Candidate, FleetPart } from './fleet-request';
import { findLaunchableImage } from './image-catalog';
import { readLaunchDisks } from './launch-disks';
import { draftInstances, refuseHibernation, spotTerms } from './launch-instances';
import { findPlace } from './launch-pools';
import { readLaunch } from './launch-request';
import type { LaunchRequest } from './launch-request';
import { ON_DEMAND } from './market-options';
import type { Ec2Request } from './request';

/** What one pool gave, ready to be booked. */
export interface Purchase {
  readonly tried: FleetTry;
  readonly instances: readonly Instance[];
  readonly disks: LaunchDisks;
  readonly spot: SpotTerms | null;
}

export interface Outcome {
  readonly purchases: readonly Purchase[];
  readonly failures: readonly FleetTry[];
  readonly capacity: number;
}

const NOTHING: Outcome = { purchases: [], failures: [], capacity: 0 };

/** @param taken what the fleet's other part has taken. */
export function buyPart(
  request: Ec2Request,
  part: FleetPart,
  candidates: readonly Candidate[],
  { fleetId, taken }: { fleetId: string; taken: readonly Instance[] },
): Outcome {
  if (part.target === 0) return NOTHING;
  const ordered = inOrder(request, part, candidates);
  let best: Outcome | null = null;
  for (const group of groups(part, ordered)) {
    const outcome = buyFrom(request, part, group, { fleetId, taken });
    const failures: readonly FleetTry[] = [...(best?.failures ?? []), ...outcome.failures];
    const better: Outcome = !best || outcome.capacity > best.capacity ? outcome : best;
    best = { ...better, failures };
    if (outcome.capacity >= part.target) break;
  }
  const outcome = best ?? NOTHING;
  if (outcome.capacity >= part.least) return outcome;
  const given = outcome.purchases.map(({ tried }) => ({ ...tried, instanceIds: [], error: UNFULFILLABLE }));
  return { purchases: [], failures: [...outcome.failures, ...given], capacity: 0 };
}

const UNFULFILLABLE: EndReason = {
  code: 'UnfulfillableCapacity',
  message:
    'Unable to fulfill capacity due to your request configuration. Please adjust your request and try again.',
};

function inOrder(
  { cloud, region }: Ec2Request,
  { option, strategy }: FleetPart,
  candidates: readonly Candidate[],
) {
  const price = ({ parameters }: Candidate): number => {
    const type = parameters.text('InstanceType');
    const zone = parameters.group('Placement').text('AvailabilityZone');
    const prices = cloud.market
      .pools(region)
      .filter((pool) => pool.instanceType === type && (zone === null || pool.zone === zone))
      .map((pool) => (option === 'spot' ? cloud.market.spotPrice(pool, cloud.time) : pool.onDemandPrice));
    return Math.min(Infinity, ...prices);
  };
  switch (strategy) {
    case 'lowest-price':
    case 'price-capacity-optimized':
      return sorted(candidates, price);
    case 'prioritized':
    case 'capacity-optimized-prioritized':
      return sorted(candidates, ({ priority }) => priority);
    default:
      return candidates;
  }
}

function sorted(candidates: readonly Candidate[], by: (candidate: Candidate) => number): Candidate[] {
  const ranks = new Map(candidates.map((candidate) => [candidate, by(candidate)]));
  return [...candidates].sort((a, b) => {
    const [one, other] = [ranks.get(a) ?? 0, ranks.get(b) ?? 0];
    return one === other ? 0 : one - other;
  });
}

/** All of them, or those of one type, or of one zone, at a time. */
function groups({ single }: FleetPart, candidates: readonly Candidate[]): Candidate[][] {
  const byKey = new Map<string, Candidate[]>();
  for (const candidate of candidates) {
    const { parameters } = candidate;
    const type = single.instanceType ? parameters.text('InstanceType') : '';
    const place = `${parameters.group('Placement').text('AvailabilityZone')}/${parameters.text('SubnetId')}`;
    const key = `${type}/${single.zone ? place : ''}`;
    byKey.set(key, [...(byKey.get(key) ?? []), candidate]);
  }
  return [...byKey.values()];
}

function buyFrom(
  request: Ec2Request,
  part: FleetPart,
  candidates: readonly Candidate[],
  { fleetId, taken }: { fleetId: string; taken: readonly Instance[] },
): Outcome {
  const purchases: Purchase[] = [];
  const failures: FleetTry[] = [];
  let capacity = 0;
  for (const candidate of candidates) {
    const left = part.target - capacity;
    if (left <= 0) break;
    const share = part.strategy === 'diversified' ? Math.ceil(part.target / candidates.length) : left;
    const most = Math.ceil(Math.min(left, share) / candidate.weight);
    const held = [...taken, ...purchases.flatMap(({ instances }) => instances)];
    try {
      const purchase = buy(request, part, candidate, { fleetId, most, taken: held });
      purchases.push(purchase);
      capacity += purchase.instances.length * candidate.weight;
    } catch (error) {
      if (!(error instanceof Ec2Error)) throw error;
      failures.push(failure(request, part, candidate, error));
    }
  }
  return { purchases, failures, capacity };
}

function buy(
  request: Ec2Request,
  { option }: FleetPart,
  candidate: Candidate,
  { fleetId, most, taken }: { fleetId: string; most: number; taken: readonly Instance[] },
): Purchase {
  const { cloud, region, now } = request;
  const asked = readLaunch(candidate.parameters, cloud.market.zones(region));
  const market = { ...asked.market, ...ON_DEMAND, option, maxPrice: candidate.maxPrice };
  const wanted: LaunchRequest = { ...asked, market };
  const image: Image = findLaunchableImage(cloud, region, wanted.imageId, now);
  const disks = readLaunchDisks({ ...request, parameters: candidate.parameters }, image);
  refuseHibernation(wanted, disks);
  const place = findPlace(request, wanted, { min: 1, max: most, taken });
  const instances = draftInstances(request, {
    wanted,
    place,
    clientToken: `${fleetId}-${taken.length}`,
    systemTags: { ...candidate.systemTags, 'aws:ec2:fleet-id': fleetId },
  });
  const instanceIds = instances.map(({ id }) => id);
  const tried = { ...attempt(candidate, option, place.pool.zone), instanceIds, error: null };
  return { tried, instances, disks, spot: spotTerms(request, wanted) };
}

/** In a fleet's own words: a spot pool that is empty, and a type that isn't had. */
function failure(
  { cloud, region }: Ec2Request,
  { option }: FleetPart,
  candidate: Candidate,
  { code, message }: Ec2Error,
) {
  const type = candidate.parameters.text('InstanceType') ?? '';
  const zone = candidate.parameters.group('Placement').text('AvailabilityZone') ?? '';
  const isUnknown = !cloud.market.instanceTypes(region).includes(type);
  const error: EndReason =
    code === 'InsufficientInstanceCapacity' && option === 'spot'
      ? UNFULFILLABLE
      : code === 'Unsupported' || isUnknown
        ? {
            code: 'InvalidFleetConfiguration',
            message: `Your requested instance type (${type}) is not supported in your requested Availability Zone (${zone || region}).`,
          }
        : { code, message };
  return { ...attempt(candidate, option, zone), instanceIds: [], error };
}

function attempt({ chosen, override, parameters }: Candidate, option: FleetPart['option'], zone: string) {
  return {
    option,
    templateId: chosen.template.id,
    templateVersion: String(chosen.version.number),
    override,
    instanceType: parameters.text('InstanceType') ?? '',
    zone,
  };
}
