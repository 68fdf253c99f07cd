/** What a heartbeat changes, decided from the row before it: whether the workflow must hear, and whether the lease moves. */
import type { Health, InstanceRole, PurchaseOption } from '../contracts/states';

export interface Beat {
  clientId: string;
  agentId: string;
  instanceId: string;
  /** False for a goodbye that named no instance (the sources' ExecStop); it was taken to be the primary's. */
  named: boolean;
  status: 'online' | 'offline';
  health: Health;
  /** Null is unknown, and changes nothing. */
  mode: PurchaseOption | null;
  zone: string | null;
  instanceType: string | null;
}

/** The lease as it was. */
export interface LeaseBefore {
  state: 'live' | 'silent' | 'offline';
  health: Health;
  mode: PurchaseOption | null;
  zone: string | null;
  heartbeats: number;
}

export interface BeatEffect {
  /** False: the beat is recorded and the lease stays as it is. */
  movesLease: boolean;
  signal: 'heartbeat' | 'goneOffline' | null;
}

/**
 * @param currentIncarnation the agent's newest committed one.
 * @param everyBeat each beat of an instance that counts is a signal, news or not.
 */
export function effectOfBeat(
  beat: Beat,
  before: LeaseBefore | null,
  role: InstanceRole,
  currentIncarnation: number,
  everyBeat: boolean,
): BeatEffect {
  // A superseded machine's word drives nothing.
  if (role === 'superseded') return { movesLease: true, signal: null };
  if (beat.status === 'offline') {
    // Once there was a second instance, an unnamed goodbye may be the zombie's.
    if (!beat.named && currentIncarnation > 1) return { movesLease: false, signal: 'goneOffline' };
    const known = before?.state === 'offline' && !everyBeat;
    return { movesLease: true, signal: known ? null : 'goneOffline' };
  }
  return { movesLease: true, signal: everyBeat || isNews(beat, before) ? 'heartbeat' : null };
}

function isNews(beat: Beat, before: LeaseBefore | null): boolean {
  if (before === null || before.heartbeats === 0 || before.state !== 'live') return true;
  if (before.health !== beat.health) return true;
  if (beat.mode !== null && beat.mode !== before.mode) return true;
  return beat.zone !== null && beat.zone !== before.zone;
}
