/**
 * What an agent's workflow knows, and what it wants done.
 *
 * Glossary: the _primary_ is the instance that is the agent now; the _candidate_ is one that a running switch launched
 * and that would become the next; a _replica_ is kept ready to take over; a _superseded_ instance was one of these and is
 * told to stand down.
 *
 * Invariants, cited where the rules uphold them:
 *   A1  the incarnation rises by one with every cut-over and with every primary that isn't the one before, never else;
 *   A2  at most one switch runs at a time;
 *   A3  an instance that was primary or candidate and is no longer is superseded, and never is either again;
 *   A4  only a committed cut-over, or EC2's word or a clean goodbye of the old one, gives the agent another primary;
 *   A5  nothing starts retiring before another primary is committed, but launches that were never used;
 *   A6  what is older than the newest revision seen of the same lease changes nothing.
 */
import type { InstanceChange, SystemEvent } from '../contracts/activities';
import type {
  AgentPolicy,
  HibernationCause,
  HibernationInput,
  HibernationMethod,
  HibernationView,
  InstanceFacts,
  NoticeAction,
  ResumptionInput,
  RetirementInput,
  SwitchInput,
} from '../contracts/messages';
import { retirementWorkflowId } from '../contracts/ids';
import type { ReplicaChange, ReplicaInput, ReplicaMode, ReplicaType } from '../contracts/replicas';
import { type BACK_TO, nextStatus, type StatusEvent } from './agent-status';
import type { AgentStatus, Health, Pool, SwitchPriority } from '../contracts/states';

export interface Candidate {
  facts: InstanceFacts;
  launchId: string;
  switchNumber: number;
  healthy: boolean;
}

export interface ActiveSwitch {
  switchNumber: number;
  workflowId: string;
  priority: SwitchPriority;
  reason: string;
  terminateWaitSeconds: number;
  /** When a switch that hasn't reported its end is asked after. */
  overdueAtMs: number;
  launches: { launchId: string; instanceId: string | null; pool: Pool; abandoned: boolean }[];
}

/** A second machine that is kept ready. `ending`: its workflow was told to wind it up. */
export interface Replica {
  replicaId: string;
  workflowId: string;
  replicaType: ReplicaType;
  phase: 'launching' | 'syncing' | 'ready' | 'ending';
  launches: { launchId: string; instanceId: string; pool: Pool; abandoned: boolean }[];
  /** Once its agent has registered. */
  facts: InstanceFacts | null;
  healthy: boolean;
  overdueAtMs: number;
}

export interface Retirement {
  instanceId: string;
  workflowId: string;
  overdueAtMs: number;
}

/** What was done about a silence so far. */
export interface Silence {
  orphanedAtMs: number | null;
  /** Fell silent together with most others of its client: nothing is stopped until that was looked into. */
  mass: boolean;
  /** No earlier attempt to stop the machine than this, after one that came to nothing. */
  notBeforeMs: number;
  /** People were told that it is being stopped, and by force; further tries are made quietly. */
  stopAlerted: boolean;
  forceAlerted: boolean;
  /** The deadline of the forced stop has come; what waited for a later try doesn't wait. */
  forceReached: boolean;
  /** Policy or a person keeps the machine running: that was said, and nothing more is done. */
  settled: boolean;
  /** No earlier attempt to delete the agent than this; null when nothing more is done. */
  deleteNotBeforeMs: number | null;
}

export const FRESH_SILENCE: Silence = {
  orphanedAtMs: null,
  mass: false,
  notBeforeMs: 0,
  stopAlerted: false,
  forceAlerted: false,
  forceReached: false,
  settled: false,
  deleteNotBeforeMs: 0,
};

export const NO_REST_TROUBLES: RestTroubles = { message: null, unreached: 0, unreachedSinceMs: null };

export interface Idleness {
  sinceMs: number;
  warnedAtMs: number | null;
  /** After an attempt that came to nothing, or for a dry run that was reported: no earlier than this. */
  notBeforeMs: number;
  settled: boolean;
}

export interface Hibernation {
  number: number;
  workflowId: string;
  phase: HibernationView['phase'];
  cause: HibernationCause;
  method: HibernationMethod | null;
  imageId: string | null;
  instanceId: string;
  sinceMs: number;
  overdueAtMs: number;
  /** What to go back to if it comes to nothing. */
  before: keyof typeof BACK_TO;
  previous: Hibernation | null;
  message: string;
  /** Its workflow was told to stop, and this is why: an end of the machine that it reports after that is not taken. */
  cancelled?: string | null;
}

/** Why the latest attempts to put the machine to rest came to nothing. */
export interface RestTroubles {
  /** The latest reason, which people were told. */
  message: string | null;
  /** Attempts in a row for which no worker took any step at EC2, and since when. */
  unreached: number;
  unreachedSinceMs: number | null;
}

export interface AgentState {
  version: 1;
  /** Counts the runs of the workflow: each continue-as-new is another. */
  run: number;
  clientId: string;
  agentId: string;
  logicalAgentId: string;
  status: AgentStatus;
  health: Health;
  incarnation: number;
  primary: InstanceFacts | null;
  noPrimaryReason: string | null;
  /** The newest primary there was: what a recovery replaces. */
  lastPrimary: InstanceFacts | null;
  candidate: Candidate | null;
  superseded: { instanceId: string; incarnation: number }[];
  activeSwitch: ActiveSwitch | null;
  switchCount: number;
  /** The latest requests for a switch, so that a repeated one gets the same answer. */
  recentRequests: { requestId: string; switchNumber: number }[];
  /** When a recovery is started; and how many have failed one after the other. */
  recoverAtMs: number | null;
  recoveriesFailed: number;
  retirements: Retirement[];
  replicaMode: ReplicaMode;
  /** At most one that isn't ending. */
  replicas: Replica[];
  replicaCount: number;
  /** How many have failed one after the other; and no earlier start of another than this. */
  replicasFailed: number;
  replicaNotBeforeMs: number;
  policy: AgentPolicy;
  /** Rises when the policy changes, so that an agent sees from a reply that its configuration is another. */
  configRevision: number;
  keepAliveUntilMs: number | null;
  /** When the last keep-alive ended; silence and idleness count from there at the earliest. */
  keepAliveEndedMs: number | null;
  /** A person asked that no policy stops or deletes the machine. */
  protected: boolean;
  /** When the primary was last heard, while it is silent. */
  silentSinceMs: number | null;
  /** What the lease sweep said last: EC2 is asked before it counts. */
  lost: { lastHeardMs: number; mass: boolean } | null;
  silence: Silence | null;
  idleness: Idleness | null;
  /** How the machine is, or is being, put to rest. */
  hibernation: Hibernation | null;
  hibernationCount: number;
  restTroubles: RestTroubles;
  /** What a person was asked to do, and has not done yet as far as is known. */
  operatorTold: { instanceId: string | null; message: string }[];
  /** When the primary became that. */
  primarySinceMs: number | null;
  /** Since when EC2 answers NotFound of the primary. */
  notFoundSinceMs: number | null;
  /** The primary said goodbye while a switch or a notice kept that from counting. */
  goodbyeHeld: boolean;
  /** When EC2 is asked once more about a primary that stays silent. */
  askAgainAtMs: number | null;
  lastHeartbeatMs: number | null;
  heartbeatsSeen: number;
  leaseRevisions: Record<string, number>;
  notices: Record<string, { action: NoticeAction; actionAt: string }>;
  rejectedMessages: { name: string; reason: string; at: string }[];
  /** Rises with every change that the books should show. */
  revision: number;
}

/** What the workflow has to do in the world after a transition, in this order. */
export type Effect =
  | { kind: 'startSwitch'; input: SwitchInput; workflowId: string }
  | { kind: 'signalSwitch'; workflowId: string; signal: string; payload: unknown }
  | { kind: 'startRetirement'; input: RetirementInput; workflowId: string }
  | { kind: 'startHibernation'; input: HibernationInput; workflowId: string }
  | { kind: 'startResumption'; input: ResumptionInput; workflowId: string }
  | { kind: 'startReplica'; input: ReplicaInput; workflowId: string }
  | { kind: 'signalReplica'; workflowId: string; signal: string; payload: unknown }
  | { kind: 'cancelHibernation'; workflowId: string; reason: string }
  | { kind: 'lookUpInstance'; facts: InstanceFacts }
  | { kind: 'lookUpChild'; workflowId: string }
  | {
      kind: 'commitCutOver';
      candidate: InstanceFacts;
      fromInstanceId: string | null;
      fromIncarnation: number;
      /** Set when it is a replica that takes over. */
      promotion?: Promotion;
    };

/** Why a replica becomes the primary. */
export interface Promotion {
  replicaId: string;
  reason: string;
  priority: SwitchPriority;
}

export function initialState(
  ids: Pick<AgentState, 'clientId' | 'agentId' | 'logicalAgentId'>,
  policy: AgentPolicy,
): AgentState {
  return {
    version: 1,
    run: 1,
    ...ids,
    status: 'offline',
    health: 'healthy',
    incarnation: 0,
    primary: null,
    noPrimaryReason: 'no instance has registered yet',
    lastPrimary: null,
    candidate: null,
    superseded: [],
    activeSwitch: null,
    switchCount: 0,
    recentRequests: [],
    recoverAtMs: null,
    recoveriesFailed: 0,
    retirements: [],
    replicaMode: 'none',
    replicas: [],
    replicaCount: 0,
    replicasFailed: 0,
    replicaNotBeforeMs: 0,
    policy,
    configRevision: 1,
    keepAliveUntilMs: null,
    keepAliveEndedMs: null,
    protected: false,
    silentSinceMs: null,
    lost: null,
    silence: null,
    idleness: null,
    hibernation: null,
    hibernationCount: 0,
    restTroubles: { ...NO_REST_TROUBLES },
    operatorTold: [],
    primarySinceMs: null,
    notFoundSinceMs: null,
    goodbyeHeld: false,
    askAgainAtMs: null,
    lastHeartbeatMs: null,
    heartbeatsSeen: 0,
    leaseRevisions: {},
    notices: {},
    rejectedMessages: [],
    revision: 0,
  };
}

/** One transition in the making: a copy of the state that the rules may change, and what they want done. */
export class Draft {
  readonly effects: Effect[] = [];
  readonly instances: InstanceChange[] = [];
  readonly replicas: ReplicaChange[] = [];
  readonly keptInstanceIds: string[] = [];
  readonly events: SystemEvent[] = [];
  private changed = false;

  constructor(
    readonly state: AgentState,
    readonly nowMs: number,
  ) {}

  get now(): string {
    return new Date(this.nowMs).toISOString();
  }

  /** Marks the state as one that the books should show. */
  touch(): void {
    if (this.changed) return;
    this.changed = true;
    this.state.revision += 1;
  }

  becomes(event: StatusEvent): void {
    this.state.status = nextStatus(this.state.status, event);
    this.touch();
  }

  get publishes(): boolean {
    return this.changed;
  }

  record(event: Omit<SystemEvent, 'details' | 'instanceId'> & Partial<SystemEvent>): void {
    this.events.push({ instanceId: null, details: {}, ...event });
    this.touch();
  }

  effect(effect: Effect): void {
    this.effects.push(effect);
  }

  /** Upholds A3 and keeps the list short: the oldest machines are long gone. */
  supersede(instanceId: string, incarnation: number): void {
    const { state } = this;
    const others = state.superseded.filter((one) => one.instanceId !== instanceId);
    state.superseded = [...others, { instanceId, incarnation }].slice(-SUPERSEDED_KEPT);
    const known = (id: string) =>
      id === state.primary?.instanceId ||
      id === state.candidate?.facts.instanceId ||
      state.replicas.some((one) => one.facts?.instanceId === id) ||
      isSuperseded(state, id);
    state.leaseRevisions = onlyKeys(state.leaseRevisions, known);
    state.notices = onlyKeys(state.notices, known);
    this.touch();
  }

  /** A machine that was the agent and waits for its end. */
  zombie(facts: InstanceFacts, incarnation: number): void {
    const entry = { facts, incarnation, launchId: null, registeredAt: null, zombieSince: this.now };
    this.instances.push({ ...entry, status: 'zombie' });
  }

  /** Released: nothing of ours ends it any more. */
  keep(instanceId: string, why: string): void {
    this.keptInstanceIds.push(instanceId);
    this.record({
      eventType: 'instance_kept',
      severity: 'info',
      instanceId,
      message: `Instance ${instanceId} is kept: ${why}.`,
    });
  }

  retire(
    facts: Pick<InstanceFacts, 'instanceId' | 'accountId' | 'region'>,
    reason: RetirementInput['reason'],
    waitSeconds: number,
  ): void {
    const { state } = this;
    if (state.retirements.some((one) => one.instanceId === facts.instanceId)) return;
    const workflowId = retirementWorkflowId(state.clientId, facts.instanceId);
    const overdueAtMs = this.nowMs + waitSeconds * 1000 + 6 * state.policy.retrySeconds * 1000;
    state.retirements.push({ instanceId: facts.instanceId, workflowId, overdueAtMs });
    this.effect({
      kind: 'startRetirement',
      workflowId,
      input: {
        clientId: state.clientId,
        agentId: state.agentId,
        logicalAgentId: state.logicalAgentId,
        instanceId: facts.instanceId,
        accountId: facts.accountId,
        region: facts.region,
        retrySeconds: state.policy.retrySeconds,
        reason,
        markedAt: this.now,
        waitSeconds,
      },
    });
    this.touch();
  }
}

const SUPERSEDED_KEPT = 100;

function onlyKeys<T>(record: Record<string, T>, keep: (key: string) => boolean): Record<string, T> {
  return Object.fromEntries(Object.entries(record).filter(([key]) => keep(key)));
}

/** Another machine is the agent from now on: the one place that raises the incarnation (A1). */
export function installPrimary(state: AgentState, facts: InstanceFacts, nowMs: number): void {
  state.primarySinceMs = nowMs;
  state.hibernation = null;
  state.idleness = null;
  state.restTroubles = { ...NO_REST_TROUBLES };
  state.incarnation += 1;
  state.primary = facts;
  state.lastPrimary = facts;
  state.noPrimaryReason = null;
  state.status = nextStatus(state.status, 'newPrimary');
  state.health = 'healthy';
  freshPrimary(state);
}

/** A primary is heard or new: what was held against it counts no more. */
export function freshPrimary(state: AgentState): void {
  state.lost = null;
  state.silentSinceMs = null;
  state.silence = null;
  state.askAgainAtMs = null;
  state.notFoundSinceMs = null;
  state.goodbyeHeld = false;
}

export function isSuperseded(state: AgentState, instanceId: string): boolean {
  return state.superseded.some((one) => one.instanceId === instanceId);
}
