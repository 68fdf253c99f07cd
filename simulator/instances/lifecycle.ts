/**
 * An instance's life, as pure functions of the instance and the cloud second.
 *
 *     pending → running → shutting-down → terminated → forgotten
 *        ↑         ↓            ↑
 *        └─ stopped ← stopping ─┘  (any but a terminated one can be ended)
 *
 * L1 ending what has ended changes nothing; nothing comes back from `shutting-down`.
 * L2 a notice, once given, isn't taken back: its deadline ends or stops the instance, also when the pool is there again.
 * L3 hibernation has no two minutes: the deadline of its notice is the moment it is given at.
 * L4 a terminated instance stays visible for an hour.
 */
import type { EndReason, Instance, Notice } from '../books/entities';

export const VISIBLE_AFTER_END_SECONDS = 3600;
export const NOTICE_SECONDS = 120;

export const SPOT_TAKEN = reason('Server.SpotInstanceTermination', 'Spot instance termination');
export const SPOT_STOPPED = reason('Server.SpotInstanceShutdown', 'Spot instance shutdown');
export const USER_ENDED = reason('Client.UserInitiatedShutdown', 'User initiated shutdown');
export const USER_HIBERNATED = reason('Client.UserInitiatedHibernate', 'User initiated hibernate');
export const HOST_FAILED = reason('Server.InternalError', 'Internal error on machine');

function reason(code: string, words: string): EndReason {
  return { code, message: `${code}: ${words}` };
}

export function isActive({ state }: Instance): boolean {
  return state === 'pending' || state === 'running';
}

/** Whether it has ended, or is about to. */
export function isOver({ state }: Instance): boolean {
  return state === 'shutting-down' || state === 'terminated';
}

/** When the instance changes by itself next; Infinity for one that is just running, or stopped. */
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
        return interrupt(instance, instance.notice.action, now, shutdownSeconds());
      }
      return { ...instance, state: 'running' };
    case 'stopping':
      return { ...instance, state: 'stopped', terminatesAt: null };
    case 'stopped':
      return instance;
    case 'shutting-down':
      return { ...instance, state: 'terminated' };
    case 'terminated':
      return null;
  }
}

/** @param notice `seconds` is how long is left, unless it hibernates. */
export function giveNotice(
  instance: Instance,
  now: number,
  notice: Pick<Notice, 'action' | 'cause'> & { readonly seconds: number },
): Instance {
  if (!isActive(instance) || instance.notice) return instance;
  const { action, cause, seconds } = notice;
  const deadline = action === 'hibernate' ? now : now + seconds;
  return { ...instance, notice: { action, cause, givenAt: now, deadline } };
}

export function stop(
  instance: Instance,
  now: number,
  { by, reason, seconds }: { by: 'stop' | 'hibernate'; reason: EndReason; seconds: number },
): Instance {
  if (!isActive(instance)) return instance;
  return {
    ...instance,
    state: 'stopping',
    stoppedBy: by,
    stoppedAt: now,
    endReason: reason,
    terminatesAt: now + seconds,
  };
}

/** A stopped one boots again, elsewhere: its private address, disks and files stay, its public address is another. */
export function start(
  instance: Instance,
  now: number,
  { runsAt, publicIp }: Pick<Instance, 'runsAt' | 'publicIp'>,
): Instance {
  if (instance.state !== 'stopped') return instance;
  return {
    ...instance,
    state: 'pending',
    launchedAt: now,
    runsAt,
    bootedAt: instance.stoppedBy === 'hibernate' ? instance.bootedAt : now,
    publicIp,
    notice: null,
    rebalanceAt: null,
    lastTerminationTime: instance.notice?.deadline ?? instance.lastTerminationTime,
    stoppedBy: null,
    stoppedAt: null,
    endReason: null,
  };
}

export function end(instance: Instance, now: number, reason: EndReason, shutdownSeconds: number): Instance {
  if (isOver(instance)) return instance;
  return {
    ...instance,
    state: 'shutting-down',
    endReason: reason,
    endedAt: now,
    terminatesAt: now + shutdownSeconds,
  };
}

function interrupt(instance: Instance, action: Notice['action'], now: number, seconds: number): Instance {
  if (action === 'terminate') return end(instance, now, SPOT_TAKEN, seconds);
  return stop(instance, now, { by: action, reason: SPOT_STOPPED, seconds });
}
