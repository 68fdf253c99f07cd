/** Whether a machine may be put to rest, and how. Pure: what the books and EC2 say comes in, a verdict goes out. */
import type { HibernationCause, HibernationMethod } from '../contracts/messages';
import { LEASE_INTERVALS } from '../contracts/policy-defaults';

/** `stop`: it may be done; otherwise why not. */
export type Verdict = { still: true; message: string } | { still: false; message: string };

/** Samples may be this many intervals apart. */
const GAP_INTERVALS = 2;

export interface Grounds {
  protected: boolean;
  keptAlive: boolean;
  intakeAlive: boolean;
  intakeSeconds: number;
  othersHeard: boolean;
  silentSeconds: number | null;
  saidGoodbye: boolean;
  massSilence: boolean;
  heartbeatIntervalSeconds: number;
}

export interface Idle {
  samples: number;
  notIdle: number;
  longestGapSeconds: number;
}

/**
 * Whether the cause still holds. Silence that may be ours, readings that are missing and everything unknown say no.
 * @param seconds how long it must have lasted.
 */
export function judgeCause(
  cause: HibernationCause,
  seconds: number,
  grounds: Grounds | null,
  idle: Idle | null,
): Verdict {
  const no = (message: string): Verdict => ({ still: false, message });
  if (grounds === null) return no('the books have another machine as its primary');
  if (cause === 'person') return { still: true, message: 'a person asked for it' };
  if (grounds.protected) return no('it is protected');
  if (grounds.keptAlive) return no('it is kept alive');
  if (!grounds.intakeAlive)
    return no('no API takes in heartbeats just now, so silence says nothing of the agent');
  if (cause === 'idle') return judgeIdleness(seconds, grounds, idle);
  if (grounds.saidGoodbye) return no('it was shut down cleanly');
  if (grounds.massSilence)
    return no(
      'most of its client, or of the whole system, is silent, and nobody has said that this was looked into',
    );
  if (!grounds.othersHeard)
    return no('no agent at all was heard lately, though others should be, so its silence may be ours');
  const lease = LEASE_INTERVALS * grounds.heartbeatIntervalSeconds;
  if (grounds.intakeSeconds < lease)
    return no(
      `heartbeats are taken in again since ${Math.round(grounds.intakeSeconds)} s only, and it may not have had its turn yet`,
    );
  if (grounds.silentSeconds === null) return no('no heartbeat of it was ever stored');
  if (grounds.silentSeconds < seconds) return no(`it was heard ${Math.round(grounds.silentSeconds)} s ago`);
  return { still: true, message: `nothing was heard of it for ${Math.round(grounds.silentSeconds)} s` };
}

/** Idle in every sample of the whole window; a window that samples don't cover is not idle. */
function judgeIdleness(seconds: number, grounds: Grounds, idle: Idle | null): Verdict {
  if (idle === null || idle.samples === 0)
    return { still: false, message: 'there are no samples of its GPU' };
  if (idle.notIdle > 0) {
    return { still: false, message: `${idle.notIdle} of its last ${idle.samples} samples are not idle` };
  }
  if (idle.longestGapSeconds > GAP_INTERVALS * grounds.heartbeatIntervalSeconds) {
    return {
      still: false,
      message: `its samples leave a gap of ${Math.round(idle.longestGapSeconds)} s, in which it may have been busy`,
    };
  }
  return { still: true, message: `all ${idle.samples} samples of ${Math.round(seconds)} s are idle` };
}

/** What EC2 says of the machine. */
export interface Machine {
  option: 'spot' | 'ondemand';
  /** Of its spot request; null when there is none or it isn't known. */
  requestType: 'one-time' | 'persistent' | null;
  hibernationConfigured: boolean;
  hibernationSupported: boolean;
  accelerated: boolean;
  instanceStore: boolean | null;
  volumes: number;
}

export type RestPlan = { method: HibernationMethod; message: string } | { method: null; message: string };

/**
 * How a running machine is put to rest: hibernated where type and launch allow it (no accelerated type can), else
 * stopped; a one-time spot instance can't be stopped, so an image is made of it and it is ended.
 * @param autoTerminate off forbids to end any machine, so also this way.
 */
export function planRest(machine: Machine, cause: HibernationCause, autoTerminate: boolean): RestPlan {
  const store =
    machine.instanceStore === false ? '' : '; what lies on instance store, if it has any, is lost';
  const ends = cause === 'forgotten' || (machine.option === 'spot' && machine.requestType !== 'persistent');
  if (ends && !autoTerminate) {
    return {
      method: null,
      message: 'its machine could only be ended, and auto-terminate is off',
    };
  }
  if (cause === 'forgotten') {
    if (machine.volumes === 0) return { method: null, message: 'it has no volume that could be saved' };
    return { method: 'snapshots', message: `snapshots of its ${machine.volumes} volumes${store}` };
  }
  if (ends) {
    return {
      method: 'image',
      message: `a one-time spot instance can't be stopped: an image of its running disks is made (what is in memory and unwritten is lost), and it is ended${store}`,
    };
  }
  if (machine.hibernationConfigured && machine.hibernationSupported && !machine.accelerated) {
    return { method: 'hibernate', message: 'hibernated, with its memory on its root volume' };
  }
  const why = machine.accelerated
    ? 'no accelerated type can hibernate'
    : machine.hibernationSupported
      ? 'it was not launched for hibernation'
      : 'its type cannot hibernate';
  return { method: 'stop', message: `stopped, not hibernated: ${why}; its memory is lost${store}` };
}
