/** Putting an agent's machine to rest and waking it up: what is started, what its workflows report, what it means. */
import { hibernationWorkflowId, resumptionWorkflowId } from '../contracts/ids';
import type {
  HibernateAccepted,
  HibernateRequest,
  HibernationCause,
  HibernationResult,
  InstanceFacts,
  ResumeAccepted,
  ResumeRequest,
  ResumptionOutcome,
} from '../contracts/messages';
import { type Draft, type Hibernation, FRESH_SILENCE, freshPrimary } from './agent-state';
import { finishForgetting, forgetTheGone } from './agent-deletion';
import { BACK_TO } from './agent-status';
import { forgetUnreached, isOutOfReach, restFailed, restSucceeded } from './agent-troubles';
import { emergencyFor, primaryIsGone, startSwitch } from './agent-switching';

/** How long a hibernation may take until its workflow is asked after: an image of a large disk takes its time. */
const OVERDUE_MS = 3 * 3_600_000;

export function startHibernation(
  draft: Draft,
  instance: InstanceFacts,
  order: { cause: HibernationCause; force: boolean; reason: string },
): HibernateAccepted {
  const { state, nowMs } = draft;
  const before = state.status;
  if (before === 'hibernating' || before === 'deleted') {
    throw new TypeError(`Agent ${state.agentId} is ${before}, so it can't be put to rest.`);
  }
  state.hibernationCount += 1;
  const number = state.hibernationCount;
  const workflowId = hibernationWorkflowId(state.agentId, number);
  state.hibernation = {
    number,
    workflowId,
    phase: 'hibernating',
    cause: order.cause,
    method: null,
    imageId: null,
    instanceId: instance.instanceId,
    sinceMs: nowMs,
    overdueAtMs: nowMs + OVERDUE_MS,
    before,
    previous: state.hibernation,
    message: order.reason,
  };
  state.recoverAtMs = null; // A threatened machine that isn't put to rest after all gets its emergency then.
  draft.becomes('restBegun');
  const { clientId, agentId, logicalAgentId, policy } = state;
  const input = { clientId, agentId, logicalAgentId, number, instance, policy, ...order };
  draft.effect({ kind: 'startHibernation', workflowId, input });
  // A further try at what went wrong is made quietly.
  if (order.cause === 'person' || state.restTroubles.message === null)
    draft.record({
      eventType: 'hibernation_started',
      severity: 'info',
      instanceId: instance.instanceId,
      message: `Agent ${logicalAgentId} is put to rest: ${order.reason}.`,
      details: { cause: order.cause, workflow_id: workflowId, force: order.force },
    });
  return { number, workflowId };
}

/** A person asks; who may ask when is the update's validator's to say. */
export function hibernate(draft: Draft, request: HibernateRequest): HibernateAccepted {
  const { state } = draft;
  if (!state.primary) throw new TypeError(`Agent ${state.agentId} has no machine to hibernate.`);
  const reason = `${request.requestedBy} asked for it`;
  return startHibernation(draft, state.primary, { cause: 'person', force: false, reason });
}

export function hibernationEnded(draft: Draft, number: number, result: HibernationResult): void {
  const { hibernation } = draft.state;
  if (hibernation?.number !== number || hibernation.phase !== 'hibernating') return;
  switch (result.outcome) {
    case 'done':
      restSucceeded(draft);
      if (hibernation.cancelled && (result.method === 'image' || result.method === 'snapshots')) {
        return cameToNothing(draft, hibernation, tooLate(hibernation.cancelled, result));
      }
      return hibernation.cause === 'forgotten'
        ? finishForgetting(draft, hibernation, result)
        : atRest(draft, hibernation, result);
    case 'gone':
      return restOfTheGone(draft, hibernation, result.message);
    case 'cancelled':
    case 'held':
    case 'failed':
      if (hibernation.cause === 'forgotten' && result.unreachable && isOutOfReach(draft.state, draft.nowMs)) {
        return forgetUnreached(draft, hibernation, result);
      }
      return cameToNothing(draft, hibernation, result);
  }
}

/** Tells its workflow to stop. Until EC2 has taken a stop the machine goes on. */
export function cancelHibernation(draft: Draft, reason: string): void {
  const { hibernation } = draft.state;
  if (hibernation?.phase !== 'hibernating') return;
  hibernation.cancelled ??= reason;
  draft.effect({ kind: 'cancelHibernation', workflowId: hibernation.workflowId, reason });
}

/** What was saved is there, but the machine still runs, and is wanted. */
function tooLate(reason: string, result: HibernationResult): HibernationResult {
  const saved = [...(result.imageId ? [result.imageId] : []), ...result.snapshotIds].join(', ');
  return { ...result, outcome: 'cancelled', message: `${reason}; ${saved} was made and is kept` };
}

/** EC2 had ended the machine before it was put to rest. */
function restOfTheGone(draft: Draft, hibernation: Hibernation, message: string): void {
  switch (hibernation.cause) {
    case 'forgotten':
      return forgetTheGone(draft, message);
    case 'person':
      return restWithoutMachine(draft, hibernation, message);
    case 'idle':
    case 'silence':
      backToLife(draft, hibernation);
      return primaryIsGone(draft, message);
  }
}

/** Whoever wanted it at rest gets no new machine; a resumption launches one. */
function restWithoutMachine(draft: Draft, hibernation: Hibernation, message: string): void {
  const { state, nowMs } = draft;
  const machine = state.primary;
  state.hibernation = { ...hibernation, phase: 'hibernated', message, sinceMs: nowMs };
  draft.becomes('restDone');
  state.idleness = null;
  state.askAgainAtMs = null;
  state.lost = null;
  state.primary = null;
  state.noPrimaryReason = `it is hibernated, and EC2 has ended its machine: ${message}`;
  if (machine) {
    draft.supersede(machine.instanceId, state.incarnation);
    draft.retire(machine, 'hibernated', 0);
  }
  draft.record({
    eventType: 'agent_hibernated',
    severity: 'warning',
    instanceId: hibernation.instanceId,
    message: `Agent ${state.logicalAgentId} is hibernated, but EC2 had ended its machine: ${message}. A resumption launches another from its newest image.`,
    details: { cause: hibernation.cause, method: null, image_id: null },
  });
}

function atRest(draft: Draft, hibernation: Hibernation, result: HibernationResult): void {
  const { state, nowMs } = draft;
  const { method, imageId, message } = result;
  state.hibernation = { ...hibernation, phase: 'hibernated', method, imageId, message, sinceMs: nowMs };
  draft.becomes('restDone');
  state.idleness = null;
  state.askAgainAtMs = null;
  state.lost = null;
  const machine = state.primary;
  if (method === 'image' && machine) {
    state.primary = null;
    state.noPrimaryReason = `it is hibernated as image ${imageId}`;
    draft.supersede(machine.instanceId, state.incarnation);
    draft.zombie(machine, state.incarnation);
    draft.retire(machine, 'hibernated', 0);
  }
  draft.record({
    eventType: 'agent_hibernated',
    severity: hibernation.cause === 'person' ? 'info' : 'warning',
    instanceId: hibernation.instanceId,
    message: `Agent ${state.logicalAgentId} is hibernated: ${message}. Resume it to go on under the same id.`,
    details: { cause: hibernation.cause, method, image_id: imageId },
  });
}

/** The machine goes on as it was; what it was to be put to rest for is looked at again later. */
function cameToNothing(draft: Draft, hibernation: Hibernation, result: HibernationResult): void {
  const { state, nowMs } = draft;
  const { told, pauseMs } = restFailed(draft, result);
  backToLife(draft, hibernation);
  const againAtMs = nowMs + pauseMs;
  if (state.idleness) state.idleness.notBeforeMs = againAtMs;
  if (state.silence) {
    state.silence.notBeforeMs = againAtMs;
    if (hibernation.cause === 'forgotten' && state.silence.deleteNotBeforeMs !== null)
      state.silence.deleteNotBeforeMs = againAtMs + DELETION_PAUSE_MS;
  }
  const cancelled = result.outcome === 'cancelled';
  if (!told || hibernation.cause === 'person')
    draft.record({
      eventType: cancelled ? 'hibernation_cancelled' : 'hibernation_failed',
      severity: cancelled ? 'info' : 'warning',
      instanceId: hibernation.instanceId,
      message: `Agent ${state.logicalAgentId} was not put to rest: ${result.message}`,
      details: { cause: hibernation.cause, outcome: result.outcome },
    });
  if (state.notices[hibernation.instanceId]) {
    emergencyFor(draft, hibernation.instanceId, `${hibernation.instanceId} has a notice of EC2`);
  }
}

/** What can't be saved today is seldom saved five minutes later. */
const DELETION_PAUSE_MS = 3_600_000;

/** A goodbye that came while it was being put to rest counts now that it wasn't. */
function backToLife(draft: Draft, hibernation: Hibernation): void {
  const { state } = draft;
  state.hibernation = hibernation.previous;
  const offline = state.goodbyeHeld && hibernation.previous === null;
  draft.becomes(BACK_TO[offline ? 'offline' : hibernation.before]);
  // Its lease may have run out meanwhile, which is said only once.
  if (state.silence || (state.lost && state.primary)) state.askAgainAtMs = draft.nowMs;
  draft.touch();
}

export function resume(draft: Draft, request: ResumeRequest): ResumeAccepted {
  const { state, nowMs } = draft;
  const { hibernation, primary, clientId, agentId, logicalAgentId } = state;
  if (!hibernation) throw new TypeError(`Agent ${agentId} is not hibernated.`);
  const reason = `${request.requestedBy} resumed the agent`;
  state.silence = null;
  state.silentSinceMs = null;
  if (!primary) {
    const { switchWorkflowId } = startSwitch(draft, {
      priority: 'manual',
      targetMode: null,
      targetPool: null,
      terminateWaitSeconds: null,
      imageId: hibernation.imageId,
      reason,
    });
    state.hibernation = { ...hibernation, phase: 'resuming', workflowId: switchWorkflowId };
    return { workflowId: switchWorkflowId };
  }
  state.hibernationCount += 1;
  const number = state.hibernationCount;
  const workflowId = resumptionWorkflowId(agentId, number);
  state.hibernation = {
    ...hibernation,
    number,
    workflowId,
    phase: 'resuming',
    overdueAtMs: nowMs + OVERDUE_MS,
  };
  const input = { clientId, agentId, logicalAgentId, number, instance: primary, reason };
  draft.effect({ kind: 'startResumption', workflowId, input });
  draft.record({
    eventType: 'resumption_started',
    severity: 'info',
    instanceId: primary.instanceId,
    message: `Agent ${logicalAgentId} is being resumed on ${primary.instanceId}: ${reason}.`,
  });
  return { workflowId };
}

export function resumptionEnded(
  draft: Draft,
  number: number,
  outcome: ResumptionOutcome,
  message: string,
): void {
  const { state, nowMs } = draft;
  const { hibernation } = state;
  if (hibernation?.number !== number || hibernation.phase !== 'resuming') return;
  switch (outcome) {
    case 'started':
      // Whoever isn't heard from now on is silent, with all that follows.
      state.hibernation = null;
      state.primarySinceMs = nowMs;
      state.goodbyeHeld = false;
      draft.becomes('woken');
      state.silentSinceMs = nowMs;
      state.silence = { ...FRESH_SILENCE };
      state.goodbyeHeld = false; // The stop made it say that.
      break;
    case 'gone':
      state.hibernation = null;
      primaryIsGone(draft, message);
      return;
    case 'failed':
      state.hibernation = { ...hibernation, phase: 'hibernated' };
      break;
  }
  draft.record({
    eventType: outcome === 'started' ? 'agent_resumed' : 'resumption_failed',
    severity: outcome === 'started' ? 'info' : 'critical',
    instanceId: hibernation.instanceId,
    message:
      outcome === 'started'
        ? `The machine of agent ${state.logicalAgentId} runs again: ${message}`
        : `Agent ${state.logicalAgentId} could not be resumed: ${message}`,
  });
}

/** The agent is heard, so its machine runs, whoever woke it. */
export function awake(draft: Draft): void {
  const { state } = draft;
  if (!state.hibernation || state.hibernation.phase === 'hibernating') return;
  state.hibernation = null;
  freshPrimary(state);
  state.primarySinceMs = draft.nowMs;
  draft.touch();
}

export function hibernationTimers(draft: Draft): void {
  const { hibernation } = draft.state;
  if (!hibernation || hibernation.phase === 'hibernated' || hibernation.overdueAtMs > draft.nowMs) return;
  hibernation.overdueAtMs = draft.nowMs + OVERDUE_MS;
  draft.effect({ kind: 'lookUpChild', workflowId: hibernation.workflowId });
}

/** A hibernation or resumption that should have reported by now turns out to be closed: ended from outside. */
export function hibernationLookedUp(draft: Draft, open: boolean, status: string): void {
  const { hibernation } = draft.state;
  if (!hibernation || open) return;
  const message = `its workflow ended without a report (${status})`;
  if (hibernation.phase === 'resuming') return resumptionEnded(draft, hibernation.number, 'failed', message);
  const failed = { outcome: 'failed', method: null, imageId: null, snapshotIds: [], message } as const;
  hibernationEnded(draft, hibernation.number, { ...failed, snapshotIds: [] });
}
