/** Who a registering instance may be: primary, candidate, or nothing any more. */
import type { InstanceFacts, Registration, RegistrationOutcome } from '../contracts/messages';
import { signalNames } from '../contracts/messages';
import { registerReplica, replicaOn } from './agent-replicas';
import { type Draft, installPrimary, isSuperseded } from './agent-state';

/** How long an instance that can't be placed yet should wait before it asks again. */
const ASK_AGAIN_SECONDS = 5;

export function register(draft: Draft, { facts, policy, launch }: Registration): RegistrationOutcome {
  const { state } = draft;
  if (state.status === 'deleted') {
    const reason = `Agent ${state.agentId} is being deleted; ask again to register as a new one.`;
    return { result: 'wait', retryAfterSeconds: 1, reason };
  }
  if (JSON.stringify(state.policy) !== JSON.stringify(policy)) {
    state.policy = policy;
    // What the first registration brings is the first configuration.
    if (state.incarnation > 0) state.configRevision += 1;
    draft.touch();
  }
  if (state.primary?.instanceId === facts.instanceId) return sameInstanceAgain(draft, facts);
  if (state.candidate?.facts.instanceId === facts.instanceId) {
    return { result: 'accepted', role: 'candidate', incarnation: state.incarnation + 1 };
  }
  if (isSuperseded(state, facts.instanceId)) {
    const reason = `Instance ${facts.instanceId} is no longer agent ${state.agentId}: incarnation ${state.incarnation} runs on ${state.primary?.instanceId ?? 'another instance'}.`;
    return { result: 'refused', code: 'stand_down', reason };
  }
  const replica = replicaOn(state, facts.instanceId);
  if (replica) {
    const { replicaId } = replica;
    return { result: 'accepted', role: 'replica', incarnation: state.incarnation + 1, replicaId };
  }
  if (launch?.replicaId) return registerReplica(draft, facts, launch);
  if (launch) return registerLaunched(draft, facts, launch);
  return registerByPerson(draft, facts);
}

/** The agent process started again on the machine that is the agent already. */
function sameInstanceAgain(draft: Draft, facts: InstanceFacts): RegistrationOutcome {
  const { state } = draft;
  if (JSON.stringify(state.primary) !== JSON.stringify(facts)) {
    state.primary = facts;
    state.lastPrimary = facts;
    draft.instances.push({
      ...bookEntry(draft, facts),
      status: 'primary',
      incarnation: state.incarnation,
      launchId: null,
    });
    draft.touch();
  }
  return { result: 'accepted', role: 'primary', incarnation: state.incarnation };
}

function registerLaunched(
  draft: Draft,
  facts: InstanceFacts,
  launch: NonNullable<Registration['launch']>,
): RegistrationOutcome {
  const { state } = draft;
  const running = state.activeSwitch;
  const known = running?.launches.find((one) => one.launchId === launch.launchId);
  if (running?.switchNumber !== launch.switchNumber || known?.abandoned) {
    draft.supersede(facts.instanceId, state.incarnation + 1);
    draft.instances.push({
      ...bookEntry(draft, facts),
      status: 'running',
      incarnation: null,
      launchId: launch.launchId,
    });
    draft.retire(facts, 'abandoned_launch', 0);
    const reason = `Launch ${launch.launchId} of switch ${launch.switchNumber} is not wanted any more.`;
    return { result: 'refused', code: 'stand_down', reason };
  }
  if (state.candidate && state.candidate.launchId !== launch.launchId) {
    const reason = `Switch ${launch.switchNumber} is giving up ${state.candidate.facts.instanceId}; ask again in a moment.`;
    return { result: 'wait', retryAfterSeconds: ASK_AGAIN_SECONDS, reason };
  }
  if (state.candidate) {
    const reason = `Launch ${launch.launchId} was already used by instance ${state.candidate.facts.instanceId}.`;
    return { result: 'refused', code: 'unknown_launch', reason };
  }
  state.candidate = { facts, launchId: launch.launchId, switchNumber: launch.switchNumber, healthy: false };
  draft.instances.push({
    ...bookEntry(draft, facts),
    status: 'running',
    incarnation: state.incarnation + 1,
    launchId: launch.launchId,
  });
  draft.record({
    eventType: 'candidate_registered',
    severity: 'info',
    instanceId: facts.instanceId,
    message: `Instance ${facts.instanceId} (${facts.instanceType} ${facts.mode} in ${facts.zone}) registered as the candidate for incarnation ${state.incarnation + 1}.`,
  });
  draft.effect({
    kind: 'signalSwitch',
    workflowId: running.workflowId,
    signal: signalNames.candidateRegistered,
    payload: { instanceId: facts.instanceId, launchId: launch.launchId, healthy: false },
  });
  return { result: 'accepted', role: 'candidate', incarnation: state.incarnation + 1 };
}

/** Upholds A4: a living primary keeps its place. */
function registerByPerson(draft: Draft, facts: InstanceFacts): RegistrationOutcome {
  const { state } = draft;
  const running = state.activeSwitch;
  if (running) {
    const inFlight = state.candidate !== null || running.launches.some((launch) => !launch.abandoned);
    if (state.primary || inFlight) {
      const reason = `Switch ${running.workflowId} runs; ask again when it has ended.`;
      return { result: 'wait', retryAfterSeconds: ASK_AGAIN_SECONDS, reason };
    }
    // Nothing runs the agent and nothing is on its way: the machine that a person brings is as good as any.
    draft.effect({
      kind: 'signalSwitch',
      workflowId: running.workflowId,
      signal: signalNames.cancel,
      payload: { reason: `${facts.instanceId} registered as the agent` },
    });
  }
  const old = state.primary;
  if (old && state.status !== 'offline') {
    const reason = `Agent ${state.agentId} already runs on ${old.instanceId}. Stop it there first, or request a switch.`;
    return { result: 'refused', code: 'has_primary', reason };
  }
  if (old) {
    draft.supersede(old.instanceId, state.incarnation);
    draft.zombie(old, state.incarnation);
    // Whoever shut the agent down there may want the machine for something else.
    draft.keep(
      old.instanceId,
      'its agent was shut down cleanly and now runs elsewhere; terminate it yourself if it is not needed',
    );
  }
  installPrimary(state, facts, draft.nowMs);
  state.recoverAtMs = null;
  state.recoveriesFailed = 0;
  draft.instances.push({
    ...bookEntry(draft, facts),
    status: 'primary',
    incarnation: state.incarnation,
    launchId: null,
  });
  draft.record({
    eventType: 'agent_registered',
    severity: 'info',
    instanceId: facts.instanceId,
    message: `Agent ${state.logicalAgentId} registered from ${facts.instanceId} (${facts.instanceType} ${facts.mode} in ${facts.zone}), incarnation ${state.incarnation}.`,
  });
  return { result: 'accepted', role: 'primary', incarnation: state.incarnation };
}

function bookEntry(draft: Draft, facts: InstanceFacts) {
  return { facts, registeredAt: draft.now, zombieSince: null };
}
