/** What an agent's children report: how a switch fares, whether its candidate may take over, that a retirement ended. */
import type { CutOverResult } from '../contracts/activities';
import type { ChildReport, InstanceFacts } from '../contracts/messages';
import { signalNames } from '../contracts/messages';
import { type Draft, isSuperseded } from './agent-state';

export function childReport(draft: Draft, report: ChildReport): void {
  const { state } = draft;
  if (report.kind === 'retirementEnded') {
    state.retirements = state.retirements.filter((one) => one.instanceId !== report.instanceId);
    draft.touch();
    if (report.outcome === 'terminated') return;
    return draft.record({
      eventType: `instance_${report.outcome}`,
      severity: report.outcome === 'refused' ? 'warning' : 'info',
      instanceId: report.instanceId,
      message:
        report.outcome === 'kept'
          ? `Instance ${report.instanceId} is kept, as somebody asked.`
          : `Instance ${report.instanceId} was not terminated: the books call it its agent's primary.`,
    });
  }
  const running = state.activeSwitch;
  if (running?.switchNumber !== report.switchNumber) return;
  switch (report.kind) {
    case 'poolRefused':
      return draft.record({
        eventType: 'pool_refused',
        severity: 'info',
        message: `Switch ${report.switchNumber} found no ${report.pool.option} ${report.pool.instanceType} in ${report.pool.zone}: ${report.message}`,
        details: { pool: report.pool },
      });
    case 'instanceLaunched':
      running.launches.push({
        launchId: report.launchId,
        instanceId: report.instanceId,
        pool: report.pool,
        abandoned: false,
      });
      return draft.record({
        eventType: 'instance_launched',
        severity: 'info',
        instanceId: report.instanceId,
        message: `Switch ${report.switchNumber} launched ${report.instanceId} (${report.pool.instanceType} ${report.pool.option} in ${report.pool.zone}).`,
      });
    case 'launchAbandoned':
      return abandon(draft, report.launchId, report.instanceId, report.message);
    case 'cutOverRequested':
      return cutOverRequested(draft, report.instanceId);
    case 'needsOperator':
      return draft.record({ eventType: 'needs_operator', severity: 'critical', message: report.message });
    case 'switchEnded':
      return switchEnded(draft, report.outcome === 'completed', report.message);
  }
}

/** Whatever came of a launch that won't be used ends at once: it never was the agent (A5). */
function abandon(draft: Draft, launchId: string, instanceId: string | null, message: string): void {
  const { state } = draft;
  const running = state.activeSwitch;
  if (!running) return;
  const known = running.launches.find((one) => one.launchId === launchId);
  if (known) known.abandoned = true;
  const candidate = state.candidate?.launchId === launchId ? state.candidate : null;
  if (candidate) state.candidate = null;
  const from = state.primary ?? state.lastPrimary;
  const abandoned = candidate?.facts.instanceId ?? instanceId;
  if (abandoned && from) {
    draft.supersede(abandoned, state.incarnation + 1);
    const address = { instanceId: abandoned, accountId: from.accountId, region: from.region };
    draft.retire(address, 'abandoned_launch', 0, candidate !== null);
  }
  draft.record({
    eventType: 'launch_abandoned',
    severity: 'warning',
    instanceId: abandoned,
    message: `Switch ${running.switchNumber} gave up its launch ${abandoned ?? launchId}: ${message}`,
  });
}

function cutOverRequested(draft: Draft, instanceId: string): void {
  const { state } = draft;
  const { candidate, activeSwitch } = state;
  if (!activeSwitch) return;
  if (candidate?.facts.instanceId === instanceId && candidate.healthy) {
    return draft.effect({
      kind: 'commitCutOver',
      candidate: candidate.facts,
      fromInstanceId: state.primary?.instanceId ?? null,
      fromIncarnation: state.incarnation,
    });
  }
  const committed = state.primary?.instanceId === instanceId;
  const reason = committed ? 'it is the primary already' : `${instanceId} is not a healthy candidate`;
  answerCutOver(draft, { committed, reason }, instanceId);
}

/** The outcome of the conditional update. */
export function cutOverCommitted(draft: Draft, candidateFacts: InstanceFacts, result: CutOverResult): void {
  const { state } = draft;
  answerCutOver(draft, result, candidateFacts.instanceId);
  if (!result.committed) return;
  const old = state.primary;
  state.incarnation += 1; // A1
  state.primary = candidateFacts;
  state.lastPrimary = candidateFacts;
  state.noPrimaryReason = null;
  state.candidate = null;
  state.status = 'online';
  state.health = 'healthy';
  state.silentSinceMs = null;
  state.askAgainAtMs = null;
  state.lastHeartbeatMs = draft.nowMs;
  if (old) {
    draft.supersede(old.instanceId, state.incarnation - 1);
    draft.retire(
      old,
      'superseded',
      state.activeSwitch?.terminateWaitSeconds ?? state.policy.terminateWaitSeconds,
      true,
    );
  }
  draft.touch();
}

function answerCutOver(draft: Draft, result: CutOverResult, instanceId: string): void {
  const { state } = draft;
  if (!state.activeSwitch) return;
  const incarnation =
    state.incarnation + (result.committed && state.primary?.instanceId !== instanceId ? 1 : 0);
  draft.effect({
    kind: 'signalSwitch',
    workflowId: state.activeSwitch.workflowId,
    signal: signalNames.cutOverDecided,
    payload: { ...result, instanceId, incarnation },
  });
}

function switchEnded(draft: Draft, completed: boolean, message: string): void {
  const { state } = draft;
  const ended = state.activeSwitch;
  if (!ended) return;
  // A launch that nobody gave up and nobody is: its switch was ended from outside.
  for (const launch of ended.launches) {
    if (launch.abandoned || launch.instanceId === null || launch.instanceId === state.primary?.instanceId)
      continue;
    if (!isSuperseded(state, launch.instanceId)) abandon(draft, launch.launchId, launch.instanceId, message);
  }
  state.candidate = null;
  state.activeSwitch = null;
  const { primary } = state;
  const endangered = primary === null || state.notices[primary.instanceId] !== undefined;
  if (!completed && endangered)
    state.recoverAtMs = draft.nowMs + Math.min(30, state.policy.retrySeconds) * 1000;
  draft.record({
    eventType: completed ? 'switch_completed' : 'switch_failed',
    severity: completed ? 'info' : endangered ? 'critical' : 'warning',
    instanceId: primary?.instanceId ?? null,
    message: `Switch ${ended.switchNumber} of agent ${state.logicalAgentId} ${completed ? 'is complete' : 'failed'}: ${message}`,
    details: { switch_number: ended.switchNumber, incarnation: state.incarnation },
  });
}

/** A child that should have reported by now turns out to be closed: it was ended from outside. */
export function childLookedUp(draft: Draft, workflowId: string, open: boolean, status: string): void {
  const { state } = draft;
  if (state.activeSwitch?.workflowId === workflowId) {
    if (open) state.activeSwitch.overdueAtMs = draft.nowMs + state.policy.retrySeconds * 1000;
    else switchEnded(draft, false, `its workflow ended without a report (${status})`);
    return;
  }
  const retirement = state.retirements.find((one) => one.workflowId === workflowId);
  if (!retirement) return;
  if (open) {
    retirement.overdueAtMs = draft.nowMs + 6 * state.policy.retrySeconds * 1000;
    return;
  }
  state.retirements = state.retirements.filter((one) => one !== retirement);
  draft.record({
    eventType: 'needs_operator',
    severity: 'critical',
    instanceId: retirement.instanceId,
    message: `The retirement of ${retirement.instanceId} ended without a report (${status}); look in the AWS console whether it still runs.`,
  });
}
