/** When the agent wants to be looked at again without any message. */
import { idlenessDeadlineMs } from './agent-idleness';
import { replicaDeadlineMs } from './agent-replicas';
import { silenceDeadlineMs } from './agent-silence';
import type { AgentState } from './agent-state';

/** Null for never. */
export function nextDeadlineMs(state: AgentState): number | null {
  const { hibernation } = state;
  const deadlines = [
    state.keepAliveUntilMs,
    silenceDeadlineMs(state),
    idlenessDeadlineMs(state),
    replicaDeadlineMs(state),
    state.recoverAtMs,
    state.askAgainAtMs,
    state.activeSwitch?.overdueAtMs ?? null,
    hibernation === null || hibernation.phase === 'hibernated' ? null : hibernation.overdueAtMs,
    ...state.retirements.map((one) => one.overdueAtMs),
  ].filter((deadline) => deadline !== null && Number.isFinite(deadline));
  return deadlines.length === 0 ? null : Math.min(...(deadlines as number[]));
}
