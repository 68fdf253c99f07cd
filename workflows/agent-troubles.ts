/**
 * What keeps going wrong is told once a cause, and tried ever more seldom where nobody can even try: an account that no
 * worker serves would else cost an alert, a warning and a workflow every few minutes for as long as the agent lives.
 */
import type { HibernationResult } from '../contracts/messages';
import { close } from './agent-deletion';
import type { AgentState, Draft, Hibernation } from './agent-state';
import { untakenPause } from './untaken-pause';

const TOLD_KEPT = 20;

/** A step came to nothing because no worker takes the steps of its account; a person must start one. */
export function needsOperator(draft: Draft, message: string, instanceId: string | null): void {
  const { state } = draft;
  if (state.operatorTold.some((one) => one.instanceId === instanceId && one.message === message)) return;
  state.operatorTold = [...state.operatorTold, { instanceId, message }].slice(-TOLD_KEPT);
  draft.record({ eventType: 'needs_operator', severity: 'critical', instanceId, message });
}

/** What a person was asked for is there: the next time is told anew. `null` stands for what names no instance. */
export function operatorCame({ state }: Draft, instanceId: string | null): void {
  state.operatorTold = state.operatorTold.filter((one) => one.instanceId !== instanceId);
}

/**
 * A machine was not put to rest.
 * @returns whether people were told why already, and how long to wait before the next attempt.
 */
export function restFailed(draft: Draft, result: HibernationResult): { told: boolean; pauseMs: number } {
  const { state } = draft;
  const { restTroubles, policy } = state;
  const told = restTroubles.message === result.message;
  restTroubles.message = result.message;
  if (result.unreachable === true) {
    restTroubles.unreached += 1;
    restTroubles.unreachedSinceMs ??= draft.nowMs;
  } else if (result.outcome !== 'cancelled') {
    reached(draft);
  }
  // Why an idleness came to nothing differs each time.
  if (result.outcome === 'cancelled' && state.hibernation?.cause === 'idle') restTroubles.message = null;
  return { told, pauseMs: policy.retrySeconds * 1000 * untakenPause(restTroubles.unreached) };
}

export function restSucceeded(draft: Draft): void {
  draft.state.restTroubles.message = null;
  reached(draft);
}

function reached(draft: Draft): void {
  const { state } = draft;
  state.restTroubles.unreached = 0;
  state.restTroubles.unreachedSinceMs = null;
  operatorCame(draft, state.hibernation?.instanceId ?? state.primary?.instanceId ?? null);
}

/** Whether nobody has been able to reach the machine for so long that nobody will, and its agent need not wait for it. */
export function isOutOfReach({ restTroubles, policy }: AgentState, nowMs: number): boolean {
  const { unreachedSinceMs } = restTroubles;
  return (
    unreachedSinceMs !== null && nowMs - unreachedSinceMs >= (policy.deleteAfterOrphanedSeconds * 1000) / 2
  );
}

/** Orphaned for as long as policy allows, with a machine that can be neither saved nor ended: it is let go of. */
export function forgetUnreached(draft: Draft, { instanceId }: Hibernation, result: HibernationResult): void {
  const { state } = draft;
  const since = new Date(state.restTroubles.unreachedSinceMs ?? draft.nowMs).toISOString();
  const { primary } = state;
  close(
    draft,
    `Agent ${state.logicalAgentId} is deleted: it was orphaned for too long. Its machine ${instanceId} could not be reached since ${since}, so nothing of it was saved, and it was left as it is; look whether it still runs. ${result.message}`,
    { snapshot_ids: [], automatic: true, instance_id: instanceId, unreached: true },
  );
  if (!primary) return;
  draft.supersede(primary.instanceId, state.incarnation);
  draft.keep(primary.instanceId, 'nobody could reach it, and its agent was deleted');
}
