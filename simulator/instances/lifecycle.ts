/**
 * An instance's life, as pure functions of the instance and the cloud second.
 *
 *     pending → running → shutting-down → terminated → forgotten
 *
 * L1 states only go forward; ending what has ended changes nothing.
 * L2 a notice, once given, isn't taken back: its deadline ends the instance, also when the pool is there again.
 * L3 a terminated instance stays visible for an hour.
 */
import type { EndReason, Instance } from '../books/entities';

export const VISIBLE_AFTER_END_SECONDS = 3600;
export const NOTICE_SECONDS = 120;

export const SPOT_TAKEN: EndReason = {
  code: 'Server.SpotInstanceTermination',
  message: 'Server.SpotInstanceTermination: Spot instance termination',
};
export const USER_ENDED: EndReason = {
  code: 'Client.UserInitiatedShutdown',
  message: 'Client.UserInitiatedShutdown: User initiated shutdown',
};
export const HOST_FAILED: EndReason = {
  code: 'Server.InternalError',
  message: 'Server.InternalError: Internal error on machine',
};

export function isActive(instance: Instance): boolean {
  return instance.state === 'pending' || instance.state === 'running';
}

/** When the instance changes by itself next; Infinity for one that is just running. */
export function nextChange(instance: Instance): number {
  const taken = instance.notice?.deadline ?? Infinity;
  switch (instance.state) {
    case 'pending':
      return Math.min(instance.runsAt, taken);
    case 'running':
      return taken;
    case 'stopping':
    case 'shutting-down':
      return instance.terminatesAt ?? 0;
    case 'stopped':
      return Infinity;
    case 'terminated':
      return (instance.terminatesAt ?? 0) + VISIBLE_AFTER_END_SECONDS;
  }
}

/**
 * The instance as it is at `now`, one change further at most; the same object when nothing is due, null when it is
 * forgotten.
 * @param shutdownSeconds how long a shutdown that begins now takes.
 */
export function nextState(instance: Instance, now: number, shutdownSeconds: () => number): Instance | null {
  if (nextChange(instance) > now) return instance;
  switch (instance.state) {
    case 'pending':
    case 'running':
      if (instance.notice && instance.notice.deadline <= now) {
        return end(instance, now, SPOT_TAKEN, shutdownSeconds());
      }
      return { ...instance, state: 'running' };
    case 'stopping':
      return { ...instance, state: 'stopped' };
    case 'stopped':
      return instance;
    case 'shutting-down':
      return { ...instance, state: 'terminated' };
    case 'terminated':
      return null;
  }
}

export function giveNotice(instance: Instance, now: number, seconds: number): Instance {
  if (!isActive(instance) || instance.notice) return instance;
  return { ...instance, notice: { action: 'terminate', givenAt: now, deadline: now + seconds } };
}

export function end(instance: Instance, now: number, reason: EndReason, shutdownSeconds: number): Instance {
  if (!isActive(instance)) return instance;
  return {
    ...instance,
    state: 'shutting-down',
    endReason: reason,
    endedAt: now,
    terminatesAt: now + shutdownSeconds,
  };
}
