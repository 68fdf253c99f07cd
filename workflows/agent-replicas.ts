/**
 * Replicas: warm second instances, one at a time, that take over at once when the primary goes.
 *
 * Whether there is to be one follows from the agent's state alone (`replicasFollow`), so nothing has to remember to
 * start or end them. Who takes over is decided by the same conditional update as any cut-over, which besides looks
 * whether the replica is in sync at that moment.
 */
import type { CutOverResult } from '../contracts/activities';
import { replicaIdOf, replicaWorkflowId } from '../contracts/ids';
import type { InstanceFacts, Registration, RegistrationOutcome } from '../contracts/messages';
import { signalNames } from '../contracts/messages';
import type {
  PromoteReplicaRequest,
  PromotionAccepted,
  ReplicaReport,
  ReplicaType,
  SetReplicaModeRequest,
} from '../contracts/replicas';
import { poolId } from '../contracts/states';
import { type AgentState, type Draft, installPrimary, type Promotion, type Replica } from './agent-state';

/** The parent asks after a replica's workflow this many retry pauses apart. */
const CHECK_PAUSES = 12;

/** Which kind of replica the agent is to have now, or null. */
export function wantedReplica({ status, primary, replicaMode }: AgentState): ReplicaType | null {
  if (primary === null || status === 'deleted' || status === 'hibernating' || status === 'hibernated')
    return null;
  if (replicaMode === 'manual') return 'manual';
  return replicaMode === 'automatic' && primary.mode === 'spot' ? 'automatic' : null;
}

/** The replica that is there or on its way; those that end don't count. */
export function livingReplica({ replicas }: AgentState): Replica | null {
  return replicas.find((one) => one.phase !== 'ending') ?? null;
}

/** The replica that could take over now, as far as is known here. */
export function promotable(state: AgentState): Replica | null {
  const fit = (one: Replica) =>
    one.phase === 'ready' && one.healthy && one.facts !== null && !state.notices[one.facts.instanceId];
  return state.replicas.find(fit) ?? null;
}

export function replicaOn({ replicas }: AgentState, instanceId: string): Replica | null {
  return replicas.find((one) => one.facts?.instanceId === instanceId) ?? null;
}

/** After every transition: ends what isn't wanted, starts what is. */
export function replicasFollow(draft: Draft): void {
  const { state, nowMs } = draft;
  const wanted = wantedReplica(state);
  const living = livingReplica(state);
  const unwanted = living && unwantedFor(state, living, wanted);
  if (living && unwanted) endReplica(draft, living, unwanted);
  else if (living) return;
  if (wanted === null || state.status === 'offline' || state.replicaNotBeforeMs > nowMs) return;
  startReplica(draft, wanted);
}

/** Why the replica is to end, or null. */
function unwantedFor(state: AgentState, living: Replica, wanted: ReplicaType | null): string | null {
  if (sharesPool(state, living)) return 'it is in the same pool as the primary, and would fall with it';
  // Without a primary the replica may be all there is.
  if (wanted !== null || (state.primary === null && state.status !== 'deleted')) return null;
  return notWanted(state);
}

/** When a replica is due that had to wait; null for never. */
export function replicaDeadlineMs(state: AgentState): number | null {
  const dueMs = state.replicas.map((one) => one.overdueAtMs);
  if (wantedReplica(state) !== null && state.status !== 'offline' && livingReplica(state) === null) {
    dueMs.push(state.replicaNotBeforeMs);
  }
  return dueMs.length === 0 ? null : Math.min(...dueMs);
}

export function replicaTimers(draft: Draft): void {
  for (const replica of draft.state.replicas) {
    if (replica.overdueAtMs > draft.nowMs) continue;
    replica.overdueAtMs = checkAtMs(draft);
    draft.effect({ kind: 'lookUpChild', workflowId: replica.workflowId });
  }
}

function notWanted({ status, replicaMode }: AgentState): string {
  if (status === 'deleted') return 'its agent was deleted';
  if (replicaMode === 'none') return 'the replica mode is off';
  return status === 'hibernating' || status === 'hibernated'
    ? 'its agent is at rest'
    : 'its primary is no spot instance, so nothing threatens it';
}

function sharesPool({ primary }: AgentState, replica: Replica): boolean {
  const pool = replica.launches.at(-1)?.pool;
  if (!primary || !pool) return false;
  const ofPrimary = { instanceType: primary.instanceType, zone: primary.zone, option: primary.mode };
  return poolId(pool) === poolId(ofPrimary);
}

function startReplica(draft: Draft, replicaType: ReplicaType): void {
  const { state } = draft;
  const { primary, clientId, agentId, logicalAgentId, policy } = state;
  if (!primary) return;
  state.replicaCount += 1;
  const replicaId = replicaIdOf(agentId, state.replicaCount);
  const workflowId = replicaWorkflowId(replicaId);
  const replica: Replica = {
    replicaId,
    workflowId,
    replicaType,
    phase: 'launching',
    launches: [],
    facts: null,
    healthy: false,
    overdueAtMs: checkAtMs(draft),
  };
  state.replicas.push(replica);
  const reason = `a ${replicaType} replica of ${primary.instanceId}`;
  const toIncarnation = state.incarnation + 1;
  const ids = { clientId, agentId, logicalAgentId, replicaId };
  draft.effect({
    kind: 'startReplica',
    workflowId,
    input: { ...ids, replicaType, primary, toIncarnation, reason, policy },
  });
  noteReplica(draft, replica, 'launching', reason);
  draft.record({
    eventType: 'replica_started',
    severity: 'info',
    instanceId: primary.instanceId,
    message: `Replica ${state.replicaCount} of agent ${logicalAgentId} is being launched: ${reason}.`,
    details: { replica_id: replicaId, workflow_id: workflowId, replica_type: replicaType },
  });
}

/** Its workflow winds it up and reports; then its machine is retired. */
export function endReplica(draft: Draft, replica: Replica, reason: string): void {
  if (replica.phase === 'ending') return;
  replica.phase = 'ending';
  draft.effect({
    kind: 'signalReplica',
    workflowId: replica.workflowId,
    signal: signalNames.terminate,
    payload: { reason },
  });
  noteReplica(draft, replica, 'terminating', reason);
  draft.record({
    eventType: 'replica_terminated',
    severity: 'info',
    instanceId: replica.facts?.instanceId ?? null,
    message: `Replica ${replica.replicaId} of agent ${draft.state.logicalAgentId} is ended: ${reason}.`,
    details: { replica_id: replica.replicaId },
  });
}

export function setReplicaMode(draft: Draft, { mode, requestedBy }: SetReplicaModeRequest): void {
  const { state } = draft;
  if (state.replicaMode === mode) return;
  state.replicaMode = mode;
  state.replicaNotBeforeMs = 0;
  state.replicasFailed = 0;
  draft.record({
    eventType: 'replica_mode_changed',
    severity: 'info',
    message: `The replica mode of agent ${state.logicalAgentId} is ${mode}; ${requestedBy} asked for it.`,
    details: { replica_mode: mode },
  });
}

/** The validator has seen that there is one. */
export function promoteReplica(draft: Draft, request: PromoteReplicaRequest): PromotionAccepted {
  const replica = promotable(draft.state);
  if (!replica?.facts) throw new TypeError(`Agent ${draft.state.agentId} has no replica that is ready.`);
  promote(draft, replica, { reason: `${request.requestedBy} asked for it`, priority: 'manual' });
  return { replicaId: replica.replicaId, instanceId: replica.facts.instanceId };
}

export function promote(draft: Draft, replica: Replica, why: Omit<Promotion, 'replicaId'>): void {
  const { state } = draft;
  if (!replica.facts) return;
  draft.effect({
    kind: 'commitCutOver',
    candidate: replica.facts,
    fromInstanceId: state.primary?.instanceId ?? null,
    fromIncarnation: state.incarnation,
    promotion: { replicaId: replica.replicaId, ...why },
  });
}

/**
 * The outcome of the conditional update. @returns whether the replica is the agent now; if not, whoever asked has to find
 * another way.
 */
export function promotionDecided(
  draft: Draft,
  facts: InstanceFacts,
  result: CutOverResult,
  why: Promotion,
): boolean {
  const { state } = draft;
  const replica = state.replicas.find((one) => one.replicaId === why.replicaId);
  if (!result.committed) {
    if (replica?.phase === 'ready') replica.phase = 'syncing';
    draft.record({
      eventType: 'promotion_refused',
      severity: 'warning',
      instanceId: facts.instanceId,
      message: `Replica ${why.replicaId} of agent ${state.logicalAgentId} was not promoted: ${result.reason}.`,
      details: { replica_id: why.replicaId },
    });
    return false;
  }
  // While the books were slow somebody deleted the agent; the replica ends with it.
  if (state.status === 'deleted') return false;
  const old = state.primary;
  installPrimary(state, facts, draft.nowMs);
  state.lastHeartbeatMs = draft.nowMs;
  state.recoverAtMs = null;
  state.recoveriesFailed = 0;
  state.replicas = state.replicas.filter((one) => one !== replica);
  if (replica) {
    const { workflowId } = replica;
    draft.effect({
      kind: 'signalReplica',
      workflowId,
      signal: signalNames.promoted,
      payload: { reason: why.reason },
    });
    noteReplica(draft, replica, 'promoted', why.reason);
  }
  if (state.activeSwitch) {
    const { workflowId } = state.activeSwitch;
    const reason = `replica ${why.replicaId} took over`;
    draft.effect({ kind: 'signalSwitch', workflowId, signal: signalNames.cancel, payload: { reason } });
  }
  if (old) {
    draft.supersede(old.instanceId, state.incarnation - 1);
    draft.retire(old, 'superseded', state.policy.terminateWaitSeconds);
  }
  draft.record({
    eventType: 'replica_promoted',
    severity: why.priority === 'emergency' ? 'warning' : 'info',
    instanceId: facts.instanceId,
    message: `Replica ${facts.instanceId} (${facts.instanceType} ${facts.mode} in ${facts.zone}) of agent ${state.logicalAgentId} is the primary, incarnation ${state.incarnation}: ${why.reason}.`,
    details: { replica_id: why.replicaId, incarnation: state.incarnation, priority: why.priority },
  });
  return true;
}

/** An instance that a replica's launch made registers. */
export function registerReplica(
  draft: Draft,
  facts: InstanceFacts,
  launch: NonNullable<Registration['launch']>,
): RegistrationOutcome {
  const { state } = draft;
  const entry = { facts, registeredAt: draft.now, zombieSince: null };
  const replica = state.replicas.find((one) => one.replicaId === launch.replicaId);
  const abandoned = replica?.launches.some((one) => one.launchId === launch.launchId && one.abandoned);
  if (!replica || replica.phase === 'ending' || abandoned) {
    draft.supersede(facts.instanceId, state.incarnation + 1);
    draft.instances.push({ ...entry, status: 'running', incarnation: null, launchId: launch.launchId });
    draft.retire(facts, 'abandoned_launch', 0);
    const reason = `Launch ${launch.launchId} of replica ${launch.replicaId} is not wanted any more.`;
    return { result: 'refused', code: 'stand_down', reason };
  }
  if (replica.facts && replica.facts.instanceId !== facts.instanceId) {
    const reason = `Replica ${replica.replicaId} is instance ${replica.facts.instanceId} already.`;
    return { result: 'refused', code: 'unknown_launch', reason };
  }
  if (replica.facts === null) {
    replica.facts = facts;
    replica.phase = 'syncing';
    draft.instances.push({ ...entry, status: 'running', incarnation: null, launchId: launch.launchId });
    draft.effect({
      kind: 'signalReplica',
      workflowId: replica.workflowId,
      signal: signalNames.candidateRegistered,
      payload: { instanceId: facts.instanceId, launchId: launch.launchId },
    });
    noteReplica(draft, replica, 'syncing', 'its agent has registered', facts.instanceId);
    draft.record({
      eventType: 'replica_registered',
      severity: 'info',
      instanceId: facts.instanceId,
      message: `Instance ${facts.instanceId} (${facts.instanceType} ${facts.mode} in ${facts.zone}) registered as replica ${replica.replicaId}.`,
    });
  }
  return {
    result: 'accepted',
    role: 'replica',
    incarnation: state.incarnation + 1,
    replicaId: replica.replicaId,
  };
}

export function replicaReport(draft: Draft, report: ReplicaReport): void {
  const { state } = draft;
  const replica = state.replicas.find((one) => one.replicaId === report.replicaId);
  if (!replica) return;
  switch (report.kind) {
    case 'replicaRefused':
      return draft.record({
        eventType: 'pool_refused',
        severity: 'info',
        message: `Replica ${report.replicaId} found no ${report.pool.option} ${report.pool.instanceType} in ${report.pool.zone}: ${report.message}`,
        details: { pool: report.pool, replica_id: report.replicaId },
      });
    case 'replicaLaunched': {
      const { launchId, instanceId, pool } = report;
      replica.launches.push({ launchId, instanceId, pool, abandoned: false });
      // An agent can be quicker than the report of its launch.
      if (replica.phase === 'launching') noteReplica(draft, replica, 'launching', 'launched', instanceId);
      return draft.record({
        eventType: 'instance_launched',
        severity: 'info',
        instanceId,
        message: `Replica ${report.replicaId} is ${instanceId} (${pool.instanceType} ${pool.option} in ${pool.zone}).`,
        details: { replica_id: report.replicaId },
      });
    }
    case 'replicaAbandoned':
      return abandonLaunch(draft, replica, report.launchId, report.instanceId, report.message);
    case 'replicaReady':
      return readiness(draft, replica, report.ready, report.message);
    case 'replicaEnded':
      return replicaEnded(draft, replica, report.outcome === 'failed', report.message);
  }
}

function abandonLaunch(
  draft: Draft,
  replica: Replica,
  launchId: string,
  instanceId: string | null,
  message: string,
): void {
  const known = replica.launches.find((one) => one.launchId === launchId);
  if (known) known.abandoned = true;
  const abandoned = known?.instanceId ?? instanceId;
  if (abandoned && replica.facts?.instanceId === abandoned) replica.facts = null;
  if (abandoned) retireReplica(draft, abandoned, 'abandoned_launch');
  draft.record({
    eventType: 'launch_abandoned',
    severity: 'warning',
    instanceId: abandoned,
    message: `Replica ${replica.replicaId} gave up its launch ${abandoned ?? launchId}: ${message}`,
  });
}

function readiness(draft: Draft, replica: Replica, ready: boolean, message: string): void {
  if (replica.phase === 'ending' || replica.facts === null) return;
  replica.phase = ready ? 'ready' : 'syncing';
  if (ready) draft.state.replicasFailed = 0;
  noteReplica(draft, replica, replica.phase, message);
  draft.record({
    eventType: ready ? 'replica_ready' : 'replica_not_ready',
    severity: 'info',
    instanceId: replica.facts.instanceId,
    message: `Replica ${replica.replicaId} of agent ${draft.state.logicalAgentId} ${ready ? 'can take over' : 'can not take over now'}: ${message}.`,
  });
  const { primary, notices } = draft.state;
  const endangered =
    primary === null ? 'it has no machine' : notices[primary.instanceId] && 'EC2 gave it notice';
  const fit = promotable(draft.state);
  if (fit && endangered) promote(draft, fit, { reason: endangered, priority: 'emergency' });
}

function replicaEnded(draft: Draft, replica: Replica, failed: boolean, message: string): void {
  const { state } = draft;
  state.replicas = state.replicas.filter((one) => one !== replica);
  const machine =
    replica.facts?.instanceId ?? replica.launches.findLast((one) => !one.abandoned)?.instanceId ?? null;
  if (machine) retireReplica(draft, machine, 'replica_terminated');
  noteReplica(draft, replica, failed ? 'failed' : machine ? 'terminating' : 'terminated', message);
  if (!failed) return;
  state.replicasFailed += 1;
  const pauseSeconds = Math.min(30 * 2 ** Math.min(state.replicasFailed - 1, 10), state.policy.retrySeconds);
  state.replicaNotBeforeMs = draft.nowMs + pauseSeconds * 1000;
  draft.record({
    eventType: 'replica_failed',
    severity: 'warning',
    instanceId: machine,
    message: `Replica ${replica.replicaId} of agent ${state.logicalAgentId} came to nothing: ${message}`,
    details: { replica_id: replica.replicaId },
  });
}

function retireReplica(
  draft: Draft,
  instanceId: string,
  reason: 'abandoned_launch' | 'replica_terminated',
): void {
  const { state } = draft;
  const from = state.primary ?? state.lastPrimary;
  if (!from) return;
  draft.supersede(instanceId, state.incarnation);
  draft.retire({ instanceId, accountId: from.accountId, region: from.region }, reason, 0);
}

/** A replica's workflow that should have reported turns out to be closed: it was ended from outside. */
export function replicaLookedUp(draft: Draft, replica: Replica, open: boolean, status: string): void {
  replica.overdueAtMs = checkAtMs(draft);
  if (!open) replicaEnded(draft, replica, true, `its workflow ended without a report (${status})`);
}

function checkAtMs({ nowMs, state }: Draft): number {
  return nowMs + CHECK_PAUSES * state.policy.retrySeconds * 1000;
}

function noteReplica(
  draft: Draft,
  replica: Replica,
  status: (typeof draft.replicas)[number]['status'],
  message: string,
  instanceId: string | null = replica.facts?.instanceId ?? replica.launches.at(-1)?.instanceId ?? null,
): void {
  const { replicaId, replicaType, launches } = replica;
  const newest = launches.at(-1);
  const others = draft.replicas.filter((one) => one.replicaId !== replicaId);
  draft.replicas.splice(0, Infinity, ...others, {
    replicaId,
    replicaType,
    status,
    instanceId,
    launchId: newest?.launchId ?? null,
    pool: newest?.pool ?? null,
    message,
  });
  draft.touch();
}
