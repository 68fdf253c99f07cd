/**
 * A spot request's life, as pure functions of the request, its instance and the cloud second.
 *
 * Q1 its status follows its instance in the transaction that changes it, so it shows an interruption before the instance
 *    changes: what is to be terminated for want of capacity says so at once, two minutes ahead.
 * Q2 a persistent request is open again when its instance has ended, whoever ended it, and asks for another one.
 * Q3 a cancelled request stays cancelled, and leaves a running instance alone; one that is stopped is terminated.
 */
import type { Instance, InterruptionBehavior, SpotRequest } from '../books/entities';
import { SPOT_TAKEN, USER_ENDED, USER_HIBERNATED, VISIBLE_AFTER_END_SECONDS } from '../instances/lifecycle';
import { inStatus } from './request-status';

/** How long EC2 thinks before it fulfils an open request, in cloud seconds. */
const EVALUATION_SECONDS = 5;
/** A cancelled request in one of these still has an instance. */
const STILL_INVOLVED = new Set([
  'request-canceled-and-instance-running',
  'marked-for-stop',
  'instance-stopped-by-user',
  'instance-stopped-by-price',
  'instance-stopped-no-capacity',
]);

/** What a launch asks of the spot market. */
export type SpotTerms = Pick<SpotRequest, 'type' | 'maxPrice' | 'validUntil' | 'tags'>;
type SpotDisks = Pick<SpotRequest, 'disks' | 'volumeTags'>;

/** The request of an instance that is launched at this moment. */
export function fulfilledRequest(instance: Instance, terms: SpotTerms, { disks, volumeTags }: SpotDisks) {
  const { type, maxPrice, validUntil, tags } = terms;
  const open: SpotRequest = {
    id: instance.spotRequestId ?? '',
    region: instance.region,
    ...{ type, maxPrice, validUntil, tags },
    interruptionBehavior: instance.interruptionBehavior,
    createdAt: instance.launchedAt,
    state: 'open',
    status: { code: '', message: '', at: instance.launchedAt },
    instanceId: null,
    template: instance,
    ...{ disks, volumeTags },
  };
  return withInstance(open, instance, instance.launchedAt);
}

export function withInstance(request: SpotRequest, instance: Instance, now: number): SpotRequest {
  return inStatus({ ...request, instanceId: instance.id }, 'active', 'fulfilled', now);
}

/** The request as its instance's change leaves it. */
export function afterChange(request: SpotRequest, instance: Instance, now: number): SpotRequest {
  if (request.instanceId !== instance.id) return request;
  const cancelled = request.state === 'cancelled';
  const over = cancelled ? 'cancelled' : request.type === 'persistent' ? 'open' : 'closed';
  const { notice, endReason } = instance;
  const byPrice = notice?.cause === 'price';
  switch (instance.state) {
    case 'pending':
    case 'running':
      if (cancelled) return request;
      if (!notice) return inStatus(request, 'active', 'fulfilled', now);
      if (notice.action !== 'terminate') return inStatus(request, 'active', 'marked-for-stop', now);
      return byPrice
        ? inStatus(request, 'active', 'marked-for-termination', now)
        : inStatus(request, over, 'instance-terminated-no-capacity', now);
    case 'stopping':
      return inStatus(request, cancelled ? 'cancelled' : 'active', 'marked-for-stop', now);
    case 'stopped': {
      const state = cancelled ? 'cancelled' : 'disabled';
      if (isByUser(endReason?.code)) return inStatus(request, state, 'instance-stopped-by-user', now);
      return inStatus(
        request,
        state,
        byPrice ? 'instance-stopped-by-price' : 'instance-stopped-no-capacity',
        now,
      );
    }
    case 'shutting-down':
      if (request.status.code === 'instance-terminated-by-service') return request;
      if (endReason?.code !== SPOT_TAKEN.code)
        return inStatus(request, over, 'instance-terminated-by-user', now);
      return inStatus(
        request,
        over,
        byPrice ? 'instance-terminated-by-price' : 'instance-terminated-no-capacity',
        now,
      );
    case 'terminated':
      if (over !== 'open') return request;
      return inStatus({ ...request, instanceId: null }, 'open', 'pending-evaluation', now);
  }
}

/** A request that is over already stays as it is. */
export function cancel(request: SpotRequest, instance: Instance | undefined, now: number): SpotRequest {
  switch (request.state) {
    case 'closed':
    case 'cancelled':
    case 'failed':
      return request;
    case 'open':
    case 'active':
    case 'disabled':
      break;
  }
  switch (instance?.state) {
    case 'pending':
    case 'running':
      return inStatus(request, 'cancelled', 'request-canceled-and-instance-running', now);
    case 'stopping':
    case 'stopped':
      return inStatus(request, 'cancelled', 'instance-terminated-by-service', now);
    case 'shutting-down':
    case 'terminated':
      return { ...request, state: 'cancelled' };
    case undefined:
      return inStatus(request, 'cancelled', 'canceled-before-fulfillment', now);
  }
}

/** Its date is reached: unlike one that someone cancels it leaves a stopped instance stopped. */
export function expire(request: SpotRequest, instance: Instance | undefined, now: number): SpotRequest {
  if (!instance) return inStatus(request, 'cancelled', 'schedule-expired', now);
  if (instance.state === 'stopping' || instance.state === 'stopped')
    return { ...request, state: 'cancelled' };
  return cancel(request, instance, now);
}

/**
 * When the request changes by itself next, or (one that is over) is forgotten; Infinity when only the market, or someone,
 * changes it.
 */
export function nextRequestChange(request: SpotRequest): number {
  if (!isLive(request)) {
    return STILL_INVOLVED.has(request.status.code) ? Infinity : request.status.at + VISIBLE_AFTER_END_SECONDS;
  }
  const expires = request.validUntil ?? Infinity;
  const evaluated =
    request.state === 'open' && request.status.code === 'pending-evaluation'
      ? request.status.at + EVALUATION_SECONDS
      : Infinity;
  return Math.min(expires, evaluated);
}

export function isLive({ state }: SpotRequest): boolean {
  return state === 'open' || state === 'active' || state === 'disabled';
}

/** Whether it would take what the market has: an instance, or the start of one that EC2 stopped. */
export function isWaiting(request: SpotRequest): boolean {
  if (request.state === 'open') return request.instanceId === null;
  return (
    request.state === 'disabled' &&
    (request.status.code === 'instance-stopped-no-capacity' ||
      request.status.code === 'instance-stopped-by-price')
  );
}

/** What an interruption does to an instance: only a request that still stands would start it again. */
export function interruptionOf(instance: Instance, request: SpotRequest | undefined): InterruptionBehavior {
  return request?.state === 'active' ? instance.interruptionBehavior : 'terminate';
}

function isByUser(code: string | undefined): boolean {
  return code === USER_ENDED.code || code === USER_HIBERNATED.code;
}
