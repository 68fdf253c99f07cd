/** What an agent can't do in the state it is in, and why. Read by the updates' validators, which change nothing. */
import { failureTypes } from '../contracts/activities';
import { promotable } from './agent-replicas';
import type { AgentState } from './agent-state';

/** The parts of a Temporal application failure. */
export interface Refusal {
  type: string;
  message: string;
  details?: unknown[];
}

export type Wish = 'switch' | 'hibernate' | 'resume' | 'protect' | 'replicaMode' | 'promote';

/** @param replicaId of the replica that a promotion names, if it names one. */
export function refusalOf(state: AgentState, wish: Wish, replicaId: string | null = null): Refusal | null {
  const { agentId, hibernation, activeSwitch } = state;
  const notNow = (message: string): Refusal => ({ type: failureTypes.notNow, message });
  if (state.status === 'deleted') return notNow(`Agent ${agentId} is deleted.`);
  if (wish === 'protect' || wish === 'replicaMode') return null;
  if (wish === 'promote') {
    const ready = promotable(state);
    if (ready && (replicaId === null || replicaId === ready.replicaId)) return null;
    const there = state.replicas.map(({ replicaId, phase }) => `${replicaId} is ${phase}`).join(', ');
    return notNow(`Agent ${agentId} has no replica that is ready to take over (${there || 'it has none'}).`);
  }
  if (wish === 'resume') {
    if (activeSwitch) return switchRunning(state, activeSwitch);
    if (hibernation?.phase === 'hibernated') return null;
    if (hibernation === null) return notNow(`Agent ${agentId} is not hibernated.`);
    const doing = hibernation.phase === 'resuming' ? 'being resumed already' : 'still being hibernated';
    return notNow(`Agent ${agentId} is ${doing}: look at ${hibernation.workflowId}.`);
  }
  if (activeSwitch) return switchRunning(state, activeSwitch);
  if (hibernation) {
    const what =
      hibernation.phase === 'hibernated'
        ? 'hibernated; resume it first'
        : `busy with ${hibernation.workflowId}`;
    return notNow(`Agent ${agentId} is ${what}.`);
  }
  if (state.primary === null) return noPrimary(agentId, state.noPrimaryReason);
  return wish === 'switch' && state.status === 'offline'
    ? noPrimary(agentId, 'the agent was shut down')
    : null;
}

function switchRunning(
  { agentId }: AgentState,
  { switchNumber, workflowId }: NonNullable<AgentState['activeSwitch']>,
): Refusal {
  return {
    type: failureTypes.switchRunning,
    message: `Switch ${switchNumber} of agent ${agentId} is running; wait for it to end.`,
    details: [{ switchNumber, switchWorkflowId: workflowId }],
  };
}

function noPrimary(agentId: string, why: string | null): Refusal {
  return { type: failureTypes.noPrimary, message: `Agent ${agentId} has nothing running: ${why}.` };
}
