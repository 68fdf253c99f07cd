/** What an agent's children report: how a switch fares, whether its candidate may take over, that a retirement ended. */
import type { CutOverResult } from '../contracts/activities';
import type { ChildReport, InstanceFacts, RetirementOutcome } from '../contracts/messages';
import { signalNames } from '../contracts/messages';
import { hibernationEnded, hibernationLookedUp, resumptionEnded } from './agent-hibernation';
import { promotionDecided, replicaLookedUp, replicaReport } from './agent-replicas';
import { type AgentState, type Draft, installPrimary, isSuperseded, type Promotion } from './agent-state';
import { emergencyFor } from './agent-switching';
import { needsOperator, operatorCame } from './agent-troubles';

export function childReport(draft: Draft, report: ChildReport): void {
  const { state } = draft;
  if (report.kind === 'retirementEnded') return retirementEnded(draft, report.instanceId, report.outcome);
  if (report.kind === 'hibernationEnded') return hibernationEnded(draft, report.number, report);
  if (report.kind === 'resumptionEnded') {
    return resumptionEnded(draft, report.number, report.outcome, report.message);
  }
  if (report.kind === 'needsOperator') {
    return needsOperator(draft, report.message, report.instanceId);
  }
  if ('replicaId' in report) return replicaReport(draft, report);
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
    case 'switchEnded':
      return switchEnded(draft, report.outcome === 'completed', report.message);
  }
}

function retirementEnded(draft: Draft, instanceId: string, outcome: RetirementOutcome): void {
  const { state } = draft;
  state.retirements = state.retirements.filter((one) => one.instanceId !== instanceId);
  operatorCame(draft, instanceId);
  draft.touch();
  if (outcome === 'kept') draft.keep(instanceId, 'somebody asked for it');
  if (outcome !== 'refused') return;
  draft.record({
    eventType: 'needs_operator',
    severity: 'critical',
    instanceId,
    message: `Instance ${instanceId} was not terminated: the books call it the primary of an agent. Look which agents run on it.`,
  });
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
    draft.retire(address, 'abandoned_launch', 0);
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
  const noticed = state.notices[instanceId] !== undefined;
  if (state.status === 'deleted') {
    return answerCutOver(draft, { committed: false, reason: 'the agent is deleted' }, instanceId);
  }
  if (candidate?.facts.instanceId === instanceId && candidate.healthy && !noticed) {
    return draft.effect({
      kind: 'commitCutOver',
      candidate: candidate.facts,
      fromInstanceId: state.primary?.instanceId ?? null,
      fromIncarnation: state.incarnation,
    });
  }
  const committed = state.primary?.instanceId === instanceId;
  const fault = noticed ? 'was given notice by EC2' : 'is not a healthy candidate';
  const reason = committed ? 'it is the primary already' : `${instanceId} ${fault}`;
  answerCutOver(draft, { committed, reason }, instanceId);
}

/** The outcome of the conditional update. */
export function cutOverCommitted(
  draft: Draft,
  candidateFacts: InstanceFacts,
  result: CutOverResult,
  promotion?: Promotion,
): void {
  const { state } = draft;
  if (promotion) {
    const promoted = promotionDecided(draft, candidateFacts, result, promotion);
    const endangered = state.primary === null || state.notices[state.primary.instanceId] !== undefined;
    if (!promoted && endangered && state.status !== 'deleted') {
      emergencyFor(draft, state.primary?.instanceId ?? state.lastPrimary?.instanceId ?? '', promotion.reason);
    }
    return;
  }
  if (state.status === 'deleted') {
    // While the books were slow somebody deleted the agent; its switch gives the candidate up.
    return answerCutOver(
      draft,
      { committed: false, reason: 'the agent is deleted' },
      candidateFacts.instanceId,
    );
  }
  answerCutOver(draft, result, candidateFacts.instanceId);
  if (!result.committed) return;
  const old = state.primary;
  installPrimary(state, candidateFacts, draft.nowMs);
  state.candidate = null;
  state.lastHeartbeatMs = draft.nowMs;
  // What a replica was in sync with is another machine now; the books say so in the same transaction.
  for (const replica of state.replicas) if (replica.phase === 'ready') replica.phase = 'syncing';
  if (old) {
    draft.supersede(old.instanceId, state.incarnation - 1);
    draft.retire(
      old,
      'superseded',
      state.activeSwitch?.terminateWaitSeconds ?? state.policy.terminateWaitSeconds,
    );
  }
  draft.touch();
}

function answerCutOver(draft: Draft, result: CutOverResult, instanceId: string): void {
  const { activeSwitch } = draft.state;
  if (!activeSwitch) return;
  draft.effect({
    kind: 'signalSwitch',
    workflowId: activeSwitch.workflowId,
    signal: signalNames.cutOverDecided,
    payload: { ...result, instanceId },
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
  if (state.candidate) abandon(draft, state.candidate.launchId, null, message);
  state.activeSwitch = null;
  const { primary } = state;
  // Whoever took over may have been given notice, or be gone, before its switch had reported.
  const deleted = state.status === 'deleted';
  const endangered = !deleted && (primary === null || state.notices[primary.instanceId] !== undefined);
  state.recoveriesFailed = completed ? 0 : state.recoveriesFailed + 1;
  if (completed) operatorCame(draft, null);
  if (endangered) state.recoverAtMs = draft.nowMs + (completed ? 0 : recoveryPauseMs(state));
  else if (state.goodbyeHeld) draft.becomes('goodbye');
  draft.record({
    eventType: completed ? 'switch_completed' : 'switch_failed',
    severity: completed ? 'info' : endangered ? 'critical' : 'warning',
    instanceId: primary?.instanceId ?? null,
    message: `Switch ${ended.switchNumber} of agent ${state.logicalAgentId} ${completed ? 'is complete' : 'failed'}: ${message}`,
    details: { switch_number: ended.switchNumber, incarnation: state.incarnation },
  });
}

/** 30 s at first, then twice as long each time: what is forbidden won't be allowed by asking faster. */
function recoveryPauseMs({ recoveriesFailed, policy }: AgentState): number {
  return Math.min(30 * 2 ** Math.min(recoveriesFailed - 1, 10), policy.retrySeconds) * 1000;
}

/** A child that should have reported by now turns out to be closed: it was ended from outside. */
export function childLookedUp(draft: Draft, workflowId: string, open: boolean, status: string): void {
  const { state } = draft;
  if (state.activeSwitch?.workflowId === workflowId) {
    if (open) state.activeSwitch.overdueAtMs = draft.nowMs + state.policy.retrySeconds * 1000;
    else switchEnded(draft, false, `its workflow ended without a report (${status})`);
    return;
  }
  if (state.hibernation?.workflowId === workflowId) return hibernationLookedUp(draft, open, status);
  const replica = state.replicas.find((one) => one.workflowId === workflowId);
  if (replica) return replicaLookedUp(draft, replica, open, status);
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
