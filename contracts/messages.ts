/**
 * What crosses Temporal: names and one object argument each, all plain JSON. Times are ISO 8601 in UTC unless the name
 * says `Ms` (milliseconds since the epoch); durations carry their unit.
 */
import type { ReplicaMode, ReplicaReport } from './replicas';
import type { AgentStatus, Health, InstanceRole, Pool, PurchaseOption, SwitchPriority } from './states';

/** Workflow types. */
export const workflowTypes = {
  agent: 'agentWorkflow',
  switch: 'switchWorkflow',
  retirement: 'retirementWorkflow',
  hibernation: 'hibernationWorkflow',
  resumption: 'resumptionWorkflow',
  replica: 'replicaWorkflow',
  priceWatch: 'priceWatchWorkflow',
} as const;

export const signalNames = {
  heartbeat: 'heartbeat',
  heartbeatLost: 'heartbeatLost',
  massSilenceLookedInto: 'massSilenceLookedInto',
  goneOffline: 'goneOffline',
  keepAlive: 'keepAlive',
  terminationNotice: 'terminationNotice',
  rebalanceRecommendation: 'rebalanceRecommendation',
  childReport: 'childReport',
  candidateRegistered: 'candidateRegistered',
  cutOverDecided: 'cutOverDecided',
  cancel: 'cancel',
  notice: 'notice',
  keep: 'keep',
  syncStatus: 'syncStatus',
  promoted: 'promoted',
  terminate: 'terminate',
} as const;

export const updateNames = {
  register: 'register',
  requestSwitch: 'requestSwitch',
  hibernate: 'hibernate',
  resume: 'resume',
  delete: 'delete',
  setProtected: 'setProtected',
  setReplicaMode: 'setReplicaMode',
  promoteReplica: 'promoteReplica',
} as const;

export const queryNames = {
  agentState: 'agentState',
  switchState: 'switchState',
  hibernationState: 'hibernationState',
  replicaState: 'replicaState',
} as const;

/** `act` does it, `report` is the dry run that only says what it would do, `off` does nothing. */
export type PolicyMode = 'act' | 'report' | 'off';

/** A client's and an agent's settings, as far as the workflows need them. */
export interface AgentPolicy {
  heartbeatIntervalSeconds: number;
  /** How long a zombie is kept before it is terminated. */
  terminateWaitSeconds: number;
  /** Silence, counted from the last heartbeat as all silence is, after which an agent is called orphaned. */
  orphanAfterSeconds: number;
  /** Silence after which the machine is hibernated. */
  hibernateAfterSilenceSeconds: number;
  /** Silence after which a machine that still runs is stopped by force. */
  forceStopAfterSilenceSeconds: number;
  /** How long an agent is orphaned until it is deleted, after a snapshot of its volumes. */
  deleteAfterOrphanedSeconds: number;
  /** Below this in every sample the busiest GPU counts as idle; percent. */
  idleGpuThresholdPercent: number;
  /** Idleness after which the agent is warned. */
  idleWarningSeconds: number;
  /** Idleness after which the machine is hibernated. */
  idleHibernateSeconds: number;
  /** An instance younger than this isn't hibernated for idleness. */
  minimumUptimeSeconds: number;
  /** Whether silence, idleness and forgotten orphans end in action. */
  silencePolicy: PolicyMode;
  idlePolicy: PolicyMode;
  deletePolicy: PolicyMode;
  /** How long a launched instance may take until its agent has registered and shown health. */
  candidateDeadlineSeconds: number;
  /** How long a replica may take from its registration until it is in sync, and to be so again once it no longer is. */
  replicaSyncDeadlineSeconds: number;
  /** Other instance types that may stand in for the agent's own, the best first; a replica is of another one rather than of the same. */
  alternativeInstanceTypes: string[];
  /** How long a whole switch may take. */
  switchDeadlineSeconds: number;
  /** Between two attempts to terminate one instance, and the longest pause between two recoveries of one agent. */
  retrySeconds: number;
}

/** What is known of the machine an agent reports from. Null is unknown. */
export interface InstanceFacts {
  instanceId: string;
  instanceType: string;
  zone: string;
  region: string;
  mode: PurchaseOption;
  imageId: string | null;
  accountId: string;
  hostname: string | null;
  privateIp: string | null;
  publicIp: string | null;
  agentVersion: string | null;
}

export interface AgentInput {
  clientId: string;
  agentId: string;
  logicalAgentId: string;
  /** Set when the run goes on from an earlier one. */
  carried?: unknown;
  /** Events after which the run continues as new; the server's own suggestion counts besides. */
  historyLimitEvents?: number;
}

export interface Registration {
  facts: InstanceFacts;
  policy: AgentPolicy;
  /** The launch the instance came from, once the API has found its intent row; null for one that a person made. */
  launch: { launchId: string; switchNumber: number | null; replicaId?: string | null } | null;
}

export type RegistrationOutcome =
  | { result: 'accepted'; role: InstanceRole; incarnation: number; replicaId?: string }
  /** A launch is in flight and this is not its instance: ask again later. */
  | { result: 'wait'; retryAfterSeconds: number; reason: string }
  | { result: 'refused'; code: 'stand_down' | 'has_primary' | 'unknown_launch'; reason: string };

/** The newest facts of one instance's lease: sent when they are news, or always with HEARTBEAT_SIGNALS=every. */
export interface HeartbeatNews {
  instanceId: string;
  /** Rises with each beat that is stored, so that a late or repeated delivery is recognised. */
  revision: number;
  health: Health;
  mode: PurchaseOption | null;
  zone: string | null;
  /** Of the busiest GPU; null is unknown. */
  gpuUtilizationPercent?: number | null;
  /** Since when every sample was idle without a gap, once that is longer than the warning window; else null. */
  idleSince?: string | null;
  receivedAt: string;
}

export interface HeartbeatLost {
  instanceId: string;
  revision: number;
  lastHeartbeatAt: string;
  /** Over half of the client's agents fell silent in the same sweep: that is hardly theirs. */
  massSilence?: boolean;
}

/** A person has looked into the mass silence that the agent's own may be a part of. */
export interface MassSilenceLookedInto {
  at: string;
}

export interface GoneOffline {
  /**
   * Null when it may be any instance's, since its sender named none and there was more than one: it is recorded, and
   * changes nothing.
   */
  instanceId: string | null;
  /** False when the sender named none (the sources' ExecStop), and it was taken to be the only instance's. */
  named?: boolean;
  revision: number;
  receivedAt: string;
}

export interface KeepAlive {
  minutes?: number;
}

export type NoticeAction = 'terminate' | 'stop' | 'hibernate';

/** EC2's interruption notice for one instance. */
export interface TerminationNotice {
  instanceId: string;
  action: NoticeAction;
  /** When EC2 means to act. */
  actionAt: string;
  receivedAt: string;
}

export interface RebalanceRecommendation {
  instanceId: string;
  noticedAt: string;
  receivedAt: string;
}

/** What an agent's children tell it. */
export type ChildReport =
  | { kind: 'poolRefused'; switchNumber: number; pool: Pool; message: string }
  | { kind: 'instanceLaunched'; switchNumber: number; launchId: string; instanceId: string; pool: Pool }
  /** The launch won't be used: whatever came of it is to be retired at once. */
  | {
      kind: 'launchAbandoned';
      switchNumber: number;
      launchId: string;
      instanceId: string | null;
      message: string;
    }
  | { kind: 'cutOverRequested'; switchNumber: number; instanceId: string }
  | { kind: 'needsOperator'; message: string; instanceId: string | null }
  | { kind: 'switchEnded'; switchNumber: number; outcome: SwitchOutcome; message: string }
  | { kind: 'retirementEnded'; instanceId: string; outcome: RetirementOutcome }
  | ReplicaReport
  | ({ kind: 'hibernationEnded'; number: number } & HibernationResult)
  | { kind: 'resumptionEnded'; number: number; outcome: ResumptionOutcome; message: string };

export type SwitchOutcome = 'completed' | 'failed' | 'cancelled';
export type RetirementOutcome = 'terminated' | 'kept' | 'refused';

/** Why a machine is put to rest. `forgotten` is the end of a long orphaned agent. */
export type HibernationCause = 'idle' | 'silence' | 'person' | 'forgotten';

/**
 * How: `hibernate` and `stop` keep the machine, `image` makes one of a machine that can't be stopped and ends it,
 * `snapshots` saves its volumes before its end.
 */
export type HibernationMethod = 'hibernate' | 'stop' | 'image' | 'snapshots';

export interface HibernationInput {
  clientId: string;
  agentId: string;
  logicalAgentId: string;
  /** Counts the agent's hibernations and resumptions. */
  number: number;
  instance: InstanceFacts;
  cause: HibernationCause;
  /** Stop without waiting for the operating system. */
  force: boolean;
  reason: string;
  policy: AgentPolicy;
}

export interface HibernationResult {
  /**
   * `done`: stopped, or image or snapshots are there and the machine can go; `gone`: EC2 had ended it already;
   * `cancelled`: what it was for is no longer so; `held`: a stop switch or a cap holds it back; `failed`.
   */
  outcome: 'done' | 'gone' | 'cancelled' | 'held' | 'failed';
  method: HibernationMethod | null;
  imageId: string | null;
  snapshotIds: string[];
  /** No worker took a step of its account, so nothing is known of the machine. */
  unreachable?: true;
  message: string;
}

/** Reply to the query `hibernationState`. */
export interface HibernationStateView {
  phase: 'confirming' | 'planning' | 'saving' | 'stopping' | 'ended';
  method: HibernationMethod | null;
  message: string;
}

export interface ResumptionInput {
  clientId: string;
  agentId: string;
  logicalAgentId: string;
  number: number;
  instance: InstanceFacts;
  reason: string;
}

/** `started`: EC2 starts it, its agent is yet to be heard; `gone`: there is nothing left to start. */
export type ResumptionOutcome = 'started' | 'gone' | 'failed';

export interface HibernateRequest {
  requestedBy: string;
}

export interface HibernateAccepted {
  number: number;
  workflowId: string;
}

export interface ResumeRequest {
  requestedBy: string;
}

/** A stopped machine is started; one that was imaged is launched anew by a switch. */
export interface ResumeAccepted {
  workflowId: string;
}

export interface DeleteRequest {
  requestedBy: string;
  /** What becomes of the primary's machine: left to its owner, or retired. */
  instances: 'keep' | 'retire';
}

export interface DeleteAccepted {
  /** Of the machine that is to be retired, or null. */
  retirementWorkflowId: string | null;
}

export interface SetProtectedRequest {
  protected: boolean;
  requestedBy: string;
}

export interface SwitchRequest {
  priority: SwitchPriority;
  /** Null leaves the choice to policy. */
  targetMode: PurchaseOption | null;
  targetPool: Pool | null;
  terminateWaitSeconds: number | null;
  /** Who or what asked, for the record. */
  requestedBy: string;
  /** The same id asks for the same switch. */
  requestId: string;
}

export interface SwitchAccepted {
  switchNumber: number;
  switchWorkflowId: string;
}

export interface SwitchInput {
  clientId: string;
  agentId: string;
  logicalAgentId: string;
  switchNumber: number;
  fromIncarnation: number;
  from: InstanceFacts;
  reason: string;
  priority: SwitchPriority;
  targetMode: PurchaseOption | null;
  targetPool: Pool | null;
  /** What to launch from; null leaves it to the plan. */
  imageId: string | null;
  policy: AgentPolicy;
}

export interface CandidateRegistered {
  instanceId: string;
  launchId: string;
  healthy: boolean;
}

export interface CutOverDecided {
  committed: boolean;
  instanceId: string;
  reason: string;
}

export interface SwitchCancel {
  reason: string;
}

/** A notice as a switch hears it: on the machine it moves from, or on the one it moves to. */
export interface SwitchNotice {
  instanceId: string;
  role: 'primary' | 'candidate';
  message: string;
}

/** Reply to the query `switchState`. */
export interface SwitchStateView {
  phase: 'choosing' | 'launching' | 'awaiting_candidate' | 'cutting_over' | 'ended';
  priority: SwitchPriority;
  attempts: { pool: Pool; launchId: string; instanceId: string | null; result: string }[];
  outcome: SwitchOutcome | null;
  message: string;
  /** The latest messages that were malformed and changed nothing. */
  rejectedMessages: string[];
}

export interface RetirementInput {
  clientId: string;
  agentId: string;
  logicalAgentId: string;
  instanceId: string;
  accountId: string;
  region: string;
  retrySeconds: number;
  reason: 'superseded' | 'abandoned_launch' | 'hibernated' | 'forgotten' | 'deleted' | 'replica_terminated';
  /** When the instance became a zombie; the wait counts from here. */
  markedAt: string;
  waitSeconds: number;
  /** Set when the run goes on from an earlier one. */
  carried?: RetirementCarried;
  /** Events after which the run continues as new; the server's own suggestion counts besides. */
  historyLimitEvents?: number;
}

export interface RetirementCarried {
  kept: boolean;
  accepted: boolean;
  /** Attempts in a row that no worker of the account took. */
  untaken: number;
}

export interface HibernationView {
  phase: 'hibernating' | 'hibernated' | 'resuming';
  cause: HibernationCause;
  method: HibernationMethod | null;
  imageId: string | null;
  instanceId: string;
  since: string;
  workflowId: string;
  /** What was done, and what is kept or lost. */
  message: string;
}

/** Reply to the query `agentState`. */
export interface AgentStateView {
  clientId: string;
  agentId: string;
  logicalAgentId: string;
  status: AgentStatus;
  health: Health;
  incarnation: number;
  primary: InstanceFacts | null;
  /** Why there is no primary, or null while there is one. */
  noPrimaryReason: string | null;
  candidate: { instanceId: string; switchNumber: number; healthy: boolean } | null;
  activeSwitch: { switchNumber: number; workflowId: string; priority: SwitchPriority; reason: string } | null;
  retirements: { instanceId: string; workflowId: string }[];
  replicaMode: ReplicaMode;
  replicas: {
    replicaId: string;
    workflowId: string;
    instanceId: string | null;
    phase: 'launching' | 'syncing' | 'ready' | 'ending';
  }[];
  keepAliveUntil: string | null;
  protected: boolean;
  /** While it is warned of its hibernation for idleness. */
  idleWarning: { dueAt: string; reason: string } | null;
  hibernation: HibernationView | null;
  lastHeartbeatAt: string | null;
  heartbeatsSeen: number;
  policy: AgentPolicy;
  /** The latest messages that were malformed and changed nothing. */
  rejectedMessages: { name: string; reason: string; at: string }[];
}
