/**
 * Idleness of the GPU: a warning with a countdown, then hibernation, unless anything speaks against it meanwhile.
 *
 * The intake measures: it says since when every sample was idle, and again when one isn't. What is known here can be
 * old, so the samples are asked once more right before anything is stopped.
 */
import type { HeartbeatNews } from '../contracts/messages';
import type { AgentState, Draft } from './agent-state';
import { cancelHibernation, startHibernation } from './agent-hibernation';

/** What a heartbeat of the primary says of its GPU. */
export function idlenessHeard(draft: Draft, news: HeartbeatNews): void {
  const { state } = draft;
  const sinceMs = news.idleSince ? Date.parse(news.idleSince) : null;
  if (sinceMs !== null) {
    // The same idleness, told again, keeps what was done about it.
    state.idleness = { warnedAtMs: null, notBeforeMs: 0, settled: false, ...state.idleness, sinceMs };
    return;
  }
  const warned = state.idleness !== null && state.idleness.warnedAtMs !== null;
  state.idleness = null;
  state.restTroubles.message = null; // The next idleness is another matter.
  if (state.hibernation?.cause === 'idle') cancelHibernation(draft, 'its GPU is busy again');
  if (!warned) return;
  draft.record({
    eventType: 'hibernation_warning_lifted',
    severity: 'info',
    instanceId: news.instanceId,
    message: `Agent ${state.logicalAgentId} is not idle any more; it stays on.`,
  });
}

/** The warning that stands, with the moment it announces. */
export function idleWarningOf(state: AgentState): { dueAt: string; reason: string } | null {
  const dueMs = idleHibernationDueMs(state);
  if (dueMs === null || state.idleness?.warnedAtMs === null) return null;
  const { idleGpuThresholdPercent } = state.policy;
  return {
    dueAt: new Date(dueMs).toISOString(),
    reason: `the busiest GPU was under ${idleGpuThresholdPercent} % all the time`,
  };
}

/**
 * When idleness ends in hibernation; null while nothing of the kind is to happen. Once it was announced it comes no
 * sooner than announced.
 */
export function idleHibernationDueMs(state: AgentState): number | null {
  const { idleness, policy, primarySinceMs } = state;
  const quiet = state.keepAliveUntilMs === null && !state.protected && policy.idlePolicy !== 'off';
  const free = state.activeSwitch === null && state.hibernation === null && state.status === 'online';
  if (!idleness || idleness.settled || !quiet || !free || primarySinceMs === null) return null;
  return Math.max(
    idleness.sinceMs + policy.idleHibernateSeconds * 1000,
    primarySinceMs + policy.minimumUptimeSeconds * 1000,
    idleness.notBeforeMs,
    idleness.warnedAtMs === null ? 0 : idleness.warnedAtMs + countdownMs(state),
  );
}

function countdownMs({ policy }: AgentState): number {
  return Math.max(0, policy.idleHibernateSeconds - policy.idleWarningSeconds) * 1000;
}

/** When the warning is due, or else the hibernation; null for neither. */
export function idlenessDeadlineMs(state: AgentState): number | null {
  const dueMs = idleHibernationDueMs(state);
  if (dueMs === null || state.idleness?.warnedAtMs !== null) return dueMs;
  return dueMs - countdownMs(state);
}

export function idlenessTimers(draft: Draft): void {
  const { state, nowMs } = draft;
  const { idleness, primary, policy } = state;
  const deadlineMs = idlenessDeadlineMs(state);
  if (!idleness || !primary || deadlineMs === null || deadlineMs > nowMs) return;
  const idle = `its busiest GPU was under ${policy.idleGpuThresholdPercent} % since ${new Date(idleness.sinceMs).toISOString()}`;
  if (policy.idlePolicy === 'report') {
    idleness.settled = true;
    return draft.record({
      eventType: 'hibernation_dry_run',
      severity: 'info',
      instanceId: primary.instanceId,
      message: `Agent ${state.logicalAgentId} would be hibernated: ${idle}. Its policy only reports.`,
    });
  }
  if (idleness.warnedAtMs === null) {
    idleness.warnedAtMs = nowMs;
    return draft.record({
      eventType: 'hibernation_warning',
      severity: 'warning',
      instanceId: primary.instanceId,
      message: `Agent ${state.logicalAgentId} will be hibernated at ${new Date(idleHibernationDueMs(state) ?? nowMs).toISOString()}: ${idle}. A keep-alive, or work for the GPU, prevents it.`,
    });
  }
  startHibernation(draft, primary, { cause: 'idle', force: false, reason: idle });
}
