/** What makes the agent move: requests, notices, losses, and recoveries that are due. */
import type { SwitchAccepted, SwitchNotice, SwitchRequest, TerminationNotice } from '../contracts/messages';
import { signalNames } from '../contracts/messages';
import { switchWorkflowId } from '../contracts/ids';
import { cancelHibernation } from './agent-hibernation';
import { endReplica, promotable, promote, replicaOn } from './agent-replicas';
import { type AgentState, type Draft, freshPrimary } from './agent-state';

/** The switch that a request stands for already: the one running, or an earlier one of the same request. */
export function repeatedRequest(state: AgentState, requestId: string): SwitchAccepted | null {
  const known = state.recentRequests.find((one) => one.requestId === requestId);
  if (!known) return null;
  return {
    switchNumber: known.switchNumber,
    switchWorkflowId: switchWorkflowId(state.agentId, known.switchNumber),
  };
}

export function requestSwitch(draft: Draft, request: SwitchRequest): SwitchAccepted {
  const { state } = draft;
  const repeated = repeatedRequest(state, request.requestId);
  if (repeated) return repeated;
  const accepted = startSwitch(draft, {
    ...request,
    imageId: null,
    reason: `requested by ${request.requestedBy}`,
  });
  state.recentRequests = [
    ...state.recentRequests,
    { requestId: request.requestId, switchNumber: accepted.switchNumber },
  ].slice(-20);
  return accepted;
}

interface SwitchOrder extends Pick<
  SwitchRequest,
  'priority' | 'targetMode' | 'targetPool' | 'terminateWaitSeconds'
> {
  /** What to launch from; null leaves it to the plan. */
  imageId: string | null;
  reason: string;
}

function emergency(reason: string): SwitchOrder {
  return {
    priority: 'emergency',
    targetMode: null,
    targetPool: null,
    terminateWaitSeconds: null,
    imageId: null,
    reason,
  };
}

/** Upholds A2: its callers have seen that none runs. */
export function startSwitch(draft: Draft, order: SwitchOrder): SwitchAccepted {
  const { state } = draft;
  const from = state.primary ?? state.lastPrimary;
  if (!from)
    throw new TypeError(
      `Agent ${state.agentId} has never had a primary, so there is nothing to switch from.`,
    );
  state.switchCount += 1;
  state.recoverAtMs = null;
  const switchNumber = state.switchCount;
  const workflowId = switchWorkflowId(state.agentId, switchNumber);
  state.activeSwitch = {
    switchNumber,
    workflowId,
    priority: order.priority,
    reason: order.reason,
    terminateWaitSeconds: order.terminateWaitSeconds ?? state.policy.terminateWaitSeconds,
    overdueAtMs: draft.nowMs + (state.policy.switchDeadlineSeconds + state.policy.retrySeconds) * 1000,
    launches: [],
  };
  draft.effect({
    kind: 'startSwitch',
    workflowId,
    input: {
      clientId: state.clientId,
      agentId: state.agentId,
      logicalAgentId: state.logicalAgentId,
      switchNumber,
      fromIncarnation: state.incarnation,
      from,
      reason: order.reason,
      priority: order.priority,
      targetMode: order.targetMode,
      targetPool: order.targetPool,
      // What a hibernated agent was saved in is what it goes on from.
      imageId: order.imageId ?? state.hibernation?.imageId ?? null,
      policy: state.policy,
    },
  });
  draft.record({
    eventType: 'switch_started',
    severity: order.priority === 'emergency' ? 'warning' : 'info',
    instanceId: from.instanceId,
    message: `Switch ${switchNumber} of agent ${state.logicalAgentId} starts from ${from.instanceId} (${from.mode} in ${from.zone}): ${order.reason}.`,
    details: { switch_number: switchNumber, workflow_id: workflowId, priority: order.priority },
  });
  return { switchNumber, switchWorkflowId: workflowId };
}

/** EC2 means to take an instance. One notice an instance counts, however often it is told. */
export function terminationNotice(draft: Draft, notice: TerminationNotice): void {
  const { state } = draft;
  if (state.notices[notice.instanceId]) return;
  state.notices[notice.instanceId] = { action: notice.action, actionAt: notice.actionAt };
  const role = roleOf(state, notice.instanceId);
  const reason = `EC2 will ${notice.action} ${notice.instanceId} at ${notice.actionAt}`;
  draft.record({
    eventType: 'termination_notice',
    severity: role === 'superseded' ? 'info' : 'warning',
    instanceId: notice.instanceId,
    message: `${reason}; it is the agent's ${role === 'superseded' ? 'former instance, so nothing follows' : role}.`,
    details: { role, action: notice.action, action_at: notice.actionAt },
  });
  // A machine that is, or is being, put to rest for a person needs no successor; one that isn't after all gets it then.
  if (role === 'primary' && state.hibernation && state.hibernation.cause !== 'person')
    cancelHibernation(draft, reason);
  if (role === 'primary' && state.hibernation === null) emergencyFor(draft, notice.instanceId, reason);
  const replica = replicaOn(state, notice.instanceId);
  if (replica) endReplica(draft, replica, reason);
  if (role === 'candidate') tellSwitch(draft, { instanceId: notice.instanceId, role, message: reason });
}

function roleOf(state: AgentState, instanceId: string): 'primary' | 'candidate' | 'replica' | 'superseded' {
  if (state.primary?.instanceId === instanceId) return 'primary';
  if (replicaOn(state, instanceId)) return 'replica';
  return state.candidate?.facts.instanceId === instanceId ? 'candidate' : 'superseded';
}

/** A replica that is ready takes over; else an emergency switch is started, or the running one becomes an emergency. */
export function emergencyFor(draft: Draft, instanceId: string, reason: string): void {
  const replica = promotable(draft.state);
  if (replica) return promote(draft, replica, { reason, priority: 'emergency' });
  const running = draft.state.activeSwitch;
  if (!running) {
    startSwitch(draft, emergency(reason));
    return;
  }
  running.priority = 'emergency';
  running.reason = `${running.reason}; ${reason}`;
  tellSwitch(draft, { instanceId, role: 'primary', message: reason });
}

function tellSwitch(draft: Draft, notice: SwitchNotice): void {
  const running = draft.state.activeSwitch;
  if (!running) return;
  draft.effect({
    kind: 'signalSwitch',
    workflowId: running.workflowId,
    signal: signalNames.notice,
    payload: notice,
  });
  draft.touch();
}

/** EC2 itself calls the primary gone: it is replaced at once (the other half of A4). */
export function primaryIsGone(draft: Draft, message: string): void {
  const { state } = draft;
  const lost = state.primary;
  if (!lost) return;
  const noticed = state.notices[lost.instanceId] !== undefined;
  state.primary = null;
  state.noPrimaryReason = `EC2 took ${lost.instanceId}: ${message}`;
  draft.becomes('machineLost');
  freshPrimary(state);
  draft.supersede(lost.instanceId, state.incarnation);
  draft.retire(lost, 'superseded', 0);
  draft.record({
    eventType: 'instance_lost',
    severity: 'warning',
    instanceId: lost.instanceId,
    message: `Instance ${lost.instanceId} of agent ${state.logicalAgentId} is gone${noticed ? ', as its notice said' : ' without notice'}: ${message}`,
  });
  emergencyFor(draft, lost.instanceId, `${lost.instanceId} is gone`);
}

export function switchingTimers(draft: Draft): void {
  const { state, nowMs } = draft;
  if (state.recoverAtMs !== null && state.recoverAtMs <= nowMs) {
    state.recoverAtMs = null;
    if (!state.activeSwitch) {
      emergencyFor(draft, state.lastPrimary?.instanceId ?? '', 'the recovery before this one failed');
    }
  }
  if (state.activeSwitch && state.activeSwitch.overdueAtMs <= nowMs) {
    state.activeSwitch.overdueAtMs = nowMs + state.policy.retrySeconds * 1000;
    draft.effect({ kind: 'lookUpChild', workflowId: state.activeSwitch.workflowId });
  }
  for (const retirement of state.retirements) {
    if (retirement.overdueAtMs > nowMs) continue;
    retirement.overdueAtMs = nowMs + 6 * state.policy.retrySeconds * 1000;
    draft.effect({ kind: 'lookUpChild', workflowId: retirement.workflowId });
  }
}
