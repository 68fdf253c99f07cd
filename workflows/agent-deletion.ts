/** The end of an agent: asked for by a person, or of one that was orphaned for so long that nobody misses it. */
import { retirementWorkflowId } from '../contracts/ids';
import type { DeleteAccepted, DeleteRequest, HibernationResult } from '../contracts/messages';
import { signalNames } from '../contracts/messages';
import { cancelHibernation } from './agent-hibernation';
import type { Draft, Hibernation } from './agent-state';

/**
 * The agent is deleted at once; what it had is wound up by its workflows. A machine that is kept is its owner's from
 * now on, and one that registers anew while it waits for its end is spared, since it is another agent's primary then.
 */
export function deleteAgent(draft: Draft, request: DeleteRequest): DeleteAccepted {
  const { state } = draft;
  const { primary, hibernation, activeSwitch, clientId } = state;
  if (state.status === 'deleted') {
    const ending = state.retirements.find((one) => one.instanceId === state.lastPrimary?.instanceId);
    return { retirementWorkflowId: ending?.workflowId ?? null };
  }
  const reason = `${request.requestedBy} deleted the agent`;
  if (activeSwitch) {
    const { workflowId } = activeSwitch;
    draft.effect({ kind: 'signalSwitch', workflowId, signal: signalNames.cancel, payload: { reason } });
  }
  cancelHibernation(draft, reason);
  const left = hibernation?.imageId ? ` Its image ${hibernation.imageId} is kept.` : '';
  close(draft, `Agent ${state.logicalAgentId} is deleted: ${request.requestedBy} asked for it.${left}`, {
    image_id: hibernation?.imageId ?? null,
  });
  if (!primary) return { retirementWorkflowId: null };
  draft.supersede(primary.instanceId, state.incarnation);
  if (request.instances === 'keep') {
    draft.keep(primary.instanceId, "its agent was deleted, and its machine is its owner's");
    return { retirementWorkflowId: null };
  }
  draft.zombie(primary, state.incarnation);
  draft.retire(primary, 'deleted', state.policy.terminateWaitSeconds);
  return { retirementWorkflowId: retirementWorkflowId(clientId, primary.instanceId) };
}

/** The snapshots are there: nothing is lost with the machine. */
export function finishForgetting(draft: Draft, { instanceId }: Hibernation, result: HibernationResult): void {
  const { state } = draft;
  const { primary } = state;
  const ids = result.snapshotIds;
  close(
    draft,
    `Agent ${state.logicalAgentId} is deleted: it was orphaned for too long. Its volumes are saved as ${ids.join(', ')}.`,
    { snapshot_ids: ids, automatic: true, instance_id: instanceId },
  );
  if (!primary) return;
  draft.supersede(primary.instanceId, state.incarnation);
  draft.zombie(primary, state.incarnation);
  draft.retire(primary, 'forgotten', 0);
}

/** Forgotten for so long, and EC2 has ended its machine meanwhile: nobody wants another. */
export function forgetTheGone(draft: Draft, message: string): void {
  const { state } = draft;
  const { primary } = state;
  close(
    draft,
    `Agent ${state.logicalAgentId} is deleted: it was orphaned for too long, and EC2 had ended its machine: ${message}. Nothing of its volumes was saved.`,
    { automatic: true, instance_id: primary?.instanceId ?? null },
  );
  if (!primary) return;
  draft.supersede(primary.instanceId, state.incarnation);
  draft.retire(primary, 'forgotten', 0);
}

/** From now on the agent is in the history only. */
export function close(draft: Draft, message: string, details: Record<string, unknown>): void {
  const { state } = draft;
  const instanceId = state.primary?.instanceId ?? null;
  draft.becomes('deleted');
  Object.assign(state, {
    primary: null,
    noPrimaryReason: 'the agent was deleted',
    recoverAtMs: null,
    keepAliveUntilMs: null,
    silentSinceMs: null,
    silence: null,
    idleness: null,
    askAgainAtMs: null,
    hibernation: null,
  });
  const severity = details['automatic'] === true ? ('warning' as const) : ('info' as const);
  draft.record({ eventType: 'agent_deleted', severity, instanceId, message, details });
}
