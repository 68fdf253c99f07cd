/** The agent's state as the books and the query `agentState` show it. */
import type { AgentStateView, HibernationView } from '../contracts/messages';
import { idleWarningOf } from './agent-idleness';
import type { AgentState } from './agent-state';

export function hibernationView({ hibernation }: AgentState): HibernationView | null {
  if (hibernation === null) return null;
  const { phase, cause, method, imageId, instanceId, sinceMs, workflowId, message } = hibernation;
  const since = new Date(sinceMs).toISOString();
  return { phase, cause, method, imageId, instanceId, since, workflowId, message };
}

export function viewOf(state: AgentState): AgentStateView {
  const iso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
  return {
    clientId: state.clientId,
    agentId: state.agentId,
    logicalAgentId: state.logicalAgentId,
    status: state.status,
    health: state.health,
    incarnation: state.incarnation,
    primary: state.primary,
    noPrimaryReason: state.noPrimaryReason,
    candidate: state.candidate && {
      instanceId: state.candidate.facts.instanceId,
      switchNumber: state.candidate.switchNumber,
      healthy: state.candidate.healthy,
    },
    activeSwitch: state.activeSwitch && {
      switchNumber: state.activeSwitch.switchNumber,
      workflowId: state.activeSwitch.workflowId,
      priority: state.activeSwitch.priority,
      reason: state.activeSwitch.reason,
    },
    retirements: state.retirements.map(({ instanceId, workflowId }) => ({ instanceId, workflowId })),
    replicaMode: state.replicaMode,
    replicas: state.replicas.map(({ replicaId, workflowId, launches, phase }) => ({
      replicaId,
      workflowId,
      instanceId: launches.at(-1)?.instanceId ?? null,
      phase,
    })),
    keepAliveUntil: iso(state.keepAliveUntilMs),
    protected: state.protected,
    idleWarning: idleWarningOf(state),
    hibernation: hibernationView(state),
    lastHeartbeatAt: iso(state.lastHeartbeatMs),
    heartbeatsSeen: state.heartbeatsSeen,
    policy: state.policy,
    rejectedMessages: state.rejectedMessages,
  };
}
