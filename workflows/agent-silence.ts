/**
 * What follows from silence, step by step, each counted from the last heartbeat or the end of a keep-alive:
 *
 *     silent → orphaned (alert) → hibernated (alert) → stopped by force (critical alert) → deleted, its volumes saved
 *
 * EC2 was asked when the silence began and is asked again and again; a machine that it calls gone is replaced instead.
 * Of an agent that fell silent with most of its client nothing follows but the first alert, until it is heard or a
 * person has looked into it; then its silence counts from there.
 * Nothing here stops a machine by itself: it starts a hibernation, which asks once more whether the silence goes on.
 */
import type { InstanceFacts, MassSilenceLookedInto } from '../contracts/messages';
import { type AgentState, type Draft, FRESH_SILENCE, NO_REST_TROUBLES, type Silence } from './agent-state';
import { startHibernation } from './agent-hibernation';
import { close } from './agent-deletion';

/** The primary wasn't heard since `lastHeardMs`. */
export function fallSilent(draft: Draft, lastHeardMs: number, mass: boolean): void {
  const { state } = draft;
  // A keep-alive that ended after the last heartbeat began the count anew.
  state.silentSinceMs = Math.max(lastHeardMs, state.keepAliveEndedMs ?? 0);
  state.silence = { ...FRESH_SILENCE, mass };
  state.restTroubles = { ...NO_REST_TROUBLES };
}

/** Most of its client is silent with it, as turns out when others' leases end after its own. */
export function joinMassSilence({ state }: Draft): void {
  if (state.silence) state.silence.mass = true;
}

export function massSilenceLookedInto(draft: Draft, { at }: MassSilenceLookedInto): void {
  const { state } = draft;
  const fromMs = Math.min(Date.parse(at), draft.nowMs);
  // EC2 may still be asked about a silence that isn't one yet.
  if (state.lost?.mass) state.lost = { lastHeardMs: Math.max(state.lost.lastHeardMs, fromMs), mass: false };
  const { silence } = state;
  if (!silence?.mass) return;
  const orphanedAtMs = silence.orphanedAtMs === null ? null : Math.max(silence.orphanedAtMs, fromMs);
  state.silentSinceMs = Math.max(state.silentSinceMs ?? fromMs, fromMs);
  state.silence = { ...FRESH_SILENCE, orphanedAtMs };
}

/** When silence calls for the next step; null while nothing is due, as during a keep-alive. */
export function silenceDeadlineMs(state: AgentState): number | null {
  const { silence, silentSinceMs, policy, status } = state;
  if (silence === null || silentSinceMs === null || state.keepAliveUntilMs !== null) return null;
  if (status === 'silent') return silentSinceMs + policy.orphanAfterSeconds * 1000;
  if (silence.mass) return null;
  const deleteAtMs = deletionDueMs(state, silence);
  if (status !== 'orphaned' || silence.settled) return deleteAtMs;
  const stopAtMs = silentSinceMs + policy.hibernateAfterSilenceSeconds * 1000;
  const forceAtMs = silence.forceReached
    ? Infinity
    : Math.max(silentSinceMs + policy.forceStopAfterSilenceSeconds * 1000, stopAtMs);
  return Math.min(Math.max(stopAtMs, silence.notBeforeMs), forceAtMs, deleteAtMs ?? Infinity);
}

/** Of agents orphaned by silence only: whoever was hibernated by a person or for idleness is not forgotten. */
function deletionDueMs(state: AgentState, silence: Silence): number | null {
  const { hibernation, policy, status } = state;
  const restsForSilence = status === 'hibernated' && hibernation?.cause === 'silence';
  if (status !== 'orphaned' && !restsForSilence) return null;
  if (state.protected || policy.deletePolicy === 'off' || state.activeSwitch !== null) return null;
  if (silence.orphanedAtMs === null || silence.deleteNotBeforeMs === null) return null;
  return Math.max(silence.orphanedAtMs + policy.deleteAfterOrphanedSeconds * 1000, silence.deleteNotBeforeMs);
}

export function silenceTimers(draft: Draft): void {
  const { state, nowMs } = draft;
  for (;;) {
    const dueMs = silenceDeadlineMs(state);
    if (dueMs === null || dueMs > nowMs || state.silence === null) return;
    nextStep(draft, state.silence);
  }
}

/** Each step moves what `silenceDeadlineMs` looks at. */
function nextStep(draft: Draft, silence: Silence): void {
  const { state, nowMs } = draft;
  const { primary, policy } = state;
  const deleteAtMs = deletionDueMs(state, silence);
  if (deleteAtMs !== null && deleteAtMs <= nowMs) return forget(draft, silence);
  if (primary === null) {
    state.silence = null; // Nothing runs that silence could be held against.
    return;
  }
  if (state.status === 'silent') return orphan(draft, silence, primary);
  const silentMs = nowMs - (state.silentSinceMs ?? nowMs);
  const force = silentMs >= policy.forceStopAfterSilenceSeconds * 1000;
  silence.forceReached ||= force;
  stop(draft, silence, primary, force);
}

/** Orphaned for as long as policy allows: its volumes are saved first, and only then it is deleted. */
function forget(draft: Draft, silence: Silence): void {
  const { state } = draft;
  const { primary, policy, hibernation } = state;
  const days = Math.round(policy.deleteAfterOrphanedSeconds / 8_640) / 10;
  const reason = `it was orphaned for ${days} days`;
  if (policy.deletePolicy === 'report') {
    silence.deleteNotBeforeMs = null;
    return draft.record({
      eventType: 'deletion_dry_run',
      severity: 'info',
      instanceId: primary?.instanceId ?? null,
      message: `Agent ${state.logicalAgentId} would be deleted after a snapshot: ${reason}. Its policy only reports.`,
    });
  }
  if (primary) {
    startHibernation(draft, primary, { cause: 'forgotten', force: false, reason });
    return;
  }
  const image = hibernation?.imageId ?? null;
  close(draft, `Agent ${state.logicalAgentId} is deleted: ${reason}. Its state is kept in image ${image}.`, {
    image_id: image,
    automatic: true,
  });
}

function orphan(draft: Draft, silence: Silence, { instanceId }: InstanceFacts): void {
  const { state, nowMs } = draft;
  draft.becomes('silentTooLong');
  silence.orphanedAtMs = nowMs;
  draft.record({
    eventType: 'agent_orphaned',
    severity: silence.mass ? 'info' : 'warning',
    instanceId,
    message: `Agent ${state.logicalAgentId} may be stuck: nothing was heard of it for ${minutes(draft)}, and EC2 does not call ${instanceId} gone.${silence.mass ? ' Most of its client fell silent with it, so nothing is stopped for it until a person has looked into that.' : ''}`,
    details: { mass_silence: silence.mass },
  });
}

function stop(draft: Draft, silence: Silence, primary: InstanceFacts, force: boolean): void {
  const { state, nowMs } = draft;
  const { policy, logicalAgentId } = state;
  const { instanceId } = primary;
  const silent = `nothing was heard of it for ${minutes(draft)}`;
  const leave = (eventType: string, severity: 'info' | 'warning', why: string) => {
    draft.record({
      eventType,
      severity,
      instanceId,
      message: `Agent ${logicalAgentId} is left running although ${silent}: ${why}.`,
    });
  };
  if (policy.silencePolicy === 'off' || state.protected) {
    silence.settled = true;
    return leave(
      'hibernation_held',
      'warning',
      state.protected ? 'it is protected' : 'its policy stops nothing',
    );
  }
  if (policy.silencePolicy === 'report') {
    silence.settled = true;
    return leave('hibernation_dry_run', 'info', 'its policy only reports what it would stop');
  }
  if (state.activeSwitch !== null) {
    silence.notBeforeMs = nowMs + policy.retrySeconds * 1000;
    return;
  }
  const told = force ? silence.forceAlerted : silence.stopAlerted;
  silence.stopAlerted = true;
  silence.forceAlerted ||= force;
  if (told) return void startHibernation(draft, primary, { cause: 'silence', force, reason: silent });
  draft.record({
    eventType: force ? 'agent_force_stop' : 'agent_silent_too_long',
    severity: force ? 'critical' : 'warning',
    instanceId,
    message: `Agent ${logicalAgentId} is being ${force ? 'stopped by force' : 'hibernated'}: ${silent}.`,
  });
  startHibernation(draft, primary, { cause: 'silence', force, reason: silent });
}

function minutes({ state, nowMs }: Draft): string {
  const seconds = (nowMs - (state.silentSinceMs ?? nowMs)) / 1000;
  return seconds < 120 ? `${Math.round(seconds)} s` : `${Math.floor(seconds / 60)} min`;
}
