/** The agent's reducer: state and event in, next state and effects out. Pure; time comes with the event. */
import type { AgentPublication, CutOverResult, InstanceSighting } from '../contracts/activities';
import type {
  ChildReport,
  DeleteAccepted,
  DeleteRequest,
  GoneOffline,
  HeartbeatLost,
  HeartbeatNews,
  HibernateAccepted,
  HibernateRequest,
  InstanceFacts,
  MassSilenceLookedInto,
  RebalanceRecommendation,
  Registration,
  RegistrationOutcome,
  ResumeAccepted,
  ResumeRequest,
  SetProtectedRequest,
  SwitchAccepted,
  SwitchRequest,
  TerminationNotice,
} from '../contracts/messages';
import type { PromoteReplicaRequest, PromotionAccepted, SetReplicaModeRequest } from '../contracts/replicas';
import { deleteAgent } from './agent-deletion';
import { hibernate, hibernationTimers, resume } from './agent-hibernation';
import { idlenessTimers, idleWarningOf } from './agent-idleness';
import {
  goneOffline,
  heartbeat,
  heartbeatLost,
  instanceSighted,
  keepAlive,
  livenessTimers,
  setProtected,
} from './agent-liveness';
import { register } from './agent-registration';
import { promoteReplica, replicasFollow, replicaTimers, setReplicaMode } from './agent-replicas';
import { type AgentState, Draft, type Effect, type Promotion } from './agent-state';
import { massSilenceLookedInto, silenceTimers } from './agent-silence';
import { hibernationView } from './agent-view';
import { childLookedUp, childReport, cutOverCommitted } from './agent-children';
import { requestSwitch, switchingTimers, terminationNotice } from './agent-switching';

export type AgentEvent =
  | { kind: 'heartbeat'; message: HeartbeatNews }
  | { kind: 'heartbeatLost'; message: HeartbeatLost }
  | { kind: 'massSilenceLookedInto'; message: MassSilenceLookedInto }
  | { kind: 'goneOffline'; message: GoneOffline }
  | { kind: 'keepAlive'; minutes: number }
  | { kind: 'terminationNotice'; message: TerminationNotice }
  | { kind: 'rebalanceRecommendation'; message: RebalanceRecommendation }
  | { kind: 'childReport'; message: ChildReport }
  | {
      kind: 'instanceSighted';
      facts: InstanceFacts;
      sighting: InstanceSighting;
      message: string;
      askedRevision: number;
    }
  | { kind: 'cutOverCommitted'; candidate: InstanceFacts; result: CutOverResult; promotion?: Promotion }
  | { kind: 'childLookedUp'; workflowId: string; open: boolean; status: string }
  | { kind: 'malformed'; name: string; reason: string }
  /** Nothing came, but time passed. */
  | { kind: 'clock' };

const OF_THE_DELETED: ReadonlySet<AgentEvent['kind']> = new Set([
  'childReport',
  'childLookedUp',
  'cutOverCommitted',
  'malformed',
  'clock',
]);

export interface Transition<Answer = undefined> {
  state: AgentState;
  effects: Effect[];
  /** What the books should show now, or null if nothing of it changed. */
  publication: AgentPublication | null;
  answer: Answer;
}

export function onEvent(state: AgentState, event: AgentEvent, nowMs: number): Transition {
  return transition(state, nowMs, (draft) => {
    apply(draft, event);
    livenessTimers(draft);
    silenceTimers(draft);
    idlenessTimers(draft);
    hibernationTimers(draft);
    replicaTimers(draft);
    switchingTimers(draft);
    return undefined;
  });
}

export function onRegister(
  state: AgentState,
  registration: Registration,
  nowMs: number,
): Transition<RegistrationOutcome> {
  return transition(state, nowMs, (draft) => register(draft, registration));
}

export function onSwitchRequest(
  state: AgentState,
  request: SwitchRequest,
  nowMs: number,
): Transition<SwitchAccepted> {
  return transition(state, nowMs, (draft) => requestSwitch(draft, request));
}

export function onHibernate(
  state: AgentState,
  request: HibernateRequest,
  nowMs: number,
): Transition<HibernateAccepted> {
  return transition(state, nowMs, (draft) => hibernate(draft, request));
}

export function onResume(
  state: AgentState,
  request: ResumeRequest,
  nowMs: number,
): Transition<ResumeAccepted> {
  return transition(state, nowMs, (draft) => resume(draft, request));
}

export function onDelete(
  state: AgentState,
  request: DeleteRequest,
  nowMs: number,
): Transition<DeleteAccepted> {
  return transition(state, nowMs, (draft) => deleteAgent(draft, request));
}

export function onSetProtected(
  state: AgentState,
  request: SetProtectedRequest,
  nowMs: number,
): Transition<void> {
  return transition(state, nowMs, (draft) => setProtected(draft, request));
}

export function onSetReplicaMode(
  state: AgentState,
  request: SetReplicaModeRequest,
  nowMs: number,
): Transition<void> {
  return transition(state, nowMs, (draft) => setReplicaMode(draft, request));
}

export function onPromoteReplica(
  state: AgentState,
  request: PromoteReplicaRequest,
  nowMs: number,
): Transition<PromotionAccepted> {
  return transition(state, nowMs, (draft) => promoteReplica(draft, request));
}

function transition<Answer>(
  before: AgentState,
  nowMs: number,
  rule: (draft: Draft) => Answer,
): Transition<Answer> {
  const draft = new Draft(JSON.parse(JSON.stringify(before)) as AgentState, nowMs);
  const answer = rule(draft);
  replicasFollow(draft);
  return { state: draft.state, effects: draft.effects, publication: publicationOf(draft), answer };
}

function apply(draft: Draft, event: AgentEvent): void {
  // Of a deleted agent only what its workflows still do matters.
  if (draft.state.status === 'deleted' && !OF_THE_DELETED.has(event.kind)) return;
  switch (event.kind) {
    case 'heartbeat':
      return heartbeat(draft, event.message);
    case 'heartbeatLost':
      return heartbeatLost(draft, event.message);
    case 'massSilenceLookedInto':
      return massSilenceLookedInto(draft, event.message);
    case 'goneOffline':
      return goneOffline(draft, event.message);
    case 'keepAlive':
      return keepAlive(draft, event.minutes);
    case 'terminationNotice':
      return terminationNotice(draft, event.message);
    case 'rebalanceRecommendation':
      return draft.record({
        eventType: 'rebalance_recommendation',
        severity: 'info',
        instanceId: event.message.instanceId,
        message: `EC2 recommends moving away from ${event.message.instanceId}; policy is to wait for a notice.`,
      });
    case 'childReport':
      return childReport(draft, event.message);
    case 'instanceSighted':
      return instanceSighted(draft, event.facts, event.sighting, event.message, event.askedRevision);
    case 'cutOverCommitted':
      return cutOverCommitted(draft, event.candidate, event.result, event.promotion);
    case 'childLookedUp':
      return childLookedUp(draft, event.workflowId, event.open, event.status);
    case 'malformed':
      return reject(draft, event.name, event.reason);
    case 'clock':
      return;
  }
}

function reject(draft: Draft, name: string, reason: string): void {
  draft.state.rejectedMessages = [...draft.state.rejectedMessages, { name, reason, at: draft.now }].slice(
    -10,
  );
  draft.record({
    eventType: 'message_rejected',
    severity: 'warning',
    message: `A ${name} message changed nothing: ${reason}.`,
  });
}

function publicationOf(draft: Draft): AgentPublication | null {
  if (!draft.publishes) return null;
  const { state } = draft;
  const { candidate, primary } = state;
  return {
    clientId: state.clientId,
    agentId: state.agentId,
    logicalAgentId: state.logicalAgentId,
    revision: state.revision,
    status: state.status,
    health: state.health,
    incarnation: state.incarnation,
    primary,
    noPrimaryReason: state.noPrimaryReason,
    keepAliveUntil: state.keepAliveUntilMs === null ? null : new Date(state.keepAliveUntilMs).toISOString(),
    activeSwitch: state.activeSwitch?.workflowId ?? null,
    protected: state.protected,
    idleWarning: idleWarningOf(state),
    hibernation: hibernationView(state),
    policy: state.policy,
    configRevision: state.configRevision,
    standings: [
      ...(primary
        ? [{ instanceId: primary.instanceId, role: 'primary' as const, incarnation: state.incarnation }]
        : []),
      ...(candidate
        ? [
            {
              instanceId: candidate.facts.instanceId,
              role: 'candidate' as const,
              incarnation: state.incarnation + 1,
            },
          ]
        : []),
      ...state.replicas.flatMap(({ facts }) =>
        facts
          ? [{ instanceId: facts.instanceId, role: 'replica' as const, incarnation: state.incarnation + 1 }]
          : [],
      ),
      ...state.superseded.map((one) => ({ ...one, role: 'superseded' as const })),
    ],
    instances: draft.instances,
    replicaMode: state.replicaMode,
    replicas: draft.replicas,
    keptInstanceIds: draft.keptInstanceIds,
    events: draft.events,
  };
}
