/** The activities as workflows see them: one plain JSON object in, plain JSON out. */
import type {
  AgentPolicy,
  HibernationCause,
  HibernationMethod,
  HibernationView,
  InstanceFacts,
  ResumptionOutcome,
} from './messages';
import type { ReplicaChange, ReplicaMode } from './replicas';
import type {
  AgentStatus,
  Health,
  InstanceRole,
  InstanceStatus,
  Pool,
  PurchaseOption,
  SwitchPriority,
} from './states';

/** What an agent's workflow makes known after a change, all of it in one transaction. */
export interface AgentPublication {
  clientId: string;
  agentId: string;
  logicalAgentId: string;
  /** Rises with each publication. */
  revision: number;
  /** These two are absent in what a reducer makes. */
  place?: PublicationPlace;
  /** A later revision is published: of the agent itself this shows nothing any more. */
  overtaken?: boolean;
  status: AgentStatus;
  health: Health;
  incarnation: number;
  primary: InstanceFacts | null;
  noPrimaryReason: string | null;
  keepAliveUntil: string | null;
  /** A person asked that no policy stops or deletes the agent's machine. */
  protected: boolean;
  /** Set while the primary is warned that it will be hibernated for idleness. */
  idleWarning: { dueAt: string; reason: string } | null;
  hibernation: HibernationView | null;
  activeSwitch: string | null;
  policy: AgentPolicy;
  /** Rises when the policy changes. */
  configRevision: number;
  standings: { instanceId: string; role: InstanceRole; incarnation: number }[];
  instances: InstanceChange[];
  replicaMode: ReplicaMode;
  replicas: ReplicaChange[];
  /** Released to their owners: never terminated by us. */
  keptInstanceIds: string[];
  events: SystemEvent[];
}

/**
 * Where in the workflow's story a publication was made. A worker that is killed before it has reported its workflow task
 * has published what may come out otherwise when the task is done again, under the same revision: the later place wins.
 */
export interface PublicationPlace {
  /** From 1: each continue-as-new is another. */
  run: number;
  /** Of the run, in events, when the workflow task began. */
  historyLength: number;
  /** The newest revision of the places before. */
  publishedBefore: number;
}

export interface InstanceChange {
  facts: InstanceFacts;
  status: InstanceStatus;
  incarnation: number | null;
  launchId: string | null;
  registeredAt: string | null;
  zombieSince: string | null;
}

export interface SystemEvent {
  eventType: string;
  severity: 'info' | 'warning' | 'critical';
  message: string;
  instanceId: string | null;
  details: Record<string, unknown>;
}

export interface CutOver {
  clientId: string;
  agentId: string;
  fromIncarnation: number;
  toIncarnation: number;
  fromInstanceId: string | null;
  to: InstanceFacts;
  decidedAt: string;
  /** Of a promotion: only a replica that is in sync at this moment takes over. */
  replicaId?: string | null;
}

export interface CutOverResult {
  committed: boolean;
  reason: string;
}

/** Local activities of the agent's workflow. */
export interface BookActivities {
  publishAgent(publication: AgentPublication): Promise<void>;
  /** Makes the candidate the primary if the agent is still at `fromIncarnation`; a repeat reports the same result. */
  commitCutOver(cutOver: CutOver): Promise<CutOverResult>;
}

export interface ChildActivities {
  /** Whether a workflow is still open, by id. */
  lookUpWorkflow(request: { workflowId: string }): Promise<{ open: boolean; status: string }>;
}

/** What the books know of an agent's silence or idleness at this moment. */
export interface RestActivities {
  /** Whether what a machine is to be put to rest for is still so; the last look before it. */
  confirmCause(request: {
    clientId: string;
    agentId: string;
    instanceId: string;
    cause: HibernationCause;
    /** How long it must have lasted. */
    seconds: number;
    idleGpuThresholdPercent: number;
  }): Promise<{ still: boolean; message: string }>;
}

export interface SwitchPlanRequest {
  clientId: string;
  agentId: string;
  from: InstanceFacts;
  priority: SwitchPriority;
  targetMode: PurchaseOption | null;
  targetPool: Pool | null;
}

export interface SwitchPlan {
  /** To be tried in this order. */
  pools: Pool[];
  imageId: string;
  reason: string;
}

export interface ReplicaPlanRequest {
  clientId: string;
  agentId: string;
  primary: InstanceFacts;
  alternativeInstanceTypes: string[];
}

export interface LaunchRequest {
  clientId: string;
  agentId: string;
  logicalAgentId: string;
  accountId: string;
  region: string;
  /** The switch or the replica that it is for; the other is null. */
  switchNumber: number | null;
  replicaId?: string | null;
  /** From 1, over all pools of the switch or replica. */
  attempt: number;
  toIncarnation: number;
  launchId: string;
  pool: Pool;
  imageId: string;
}

export type LaunchResult =
  | { outcome: 'launched'; instanceId: string }
  /** The pool has none to give: try the next. */
  | { outcome: 'no_capacity'; message: string };

/** `not_found` alone proves nothing: EC2 says it of what it is still to show, and of what another account or region has. */
export type InstanceSighting = 'running' | 'stopped' | 'gone' | 'not_found' | 'unknown';

export interface InstanceAddress {
  clientId: string;
  agentId: string;
  instanceId: string;
  accountId: string;
  region: string;
}

export type TerminationResult =
  | { outcome: 'requested' }
  /** It must not be terminated: it is its agent's primary (again). */
  | { outcome: 'refused'; message: string }
  /** A stop switch or the cap holds it back; another attempt comes later. */
  | { outcome: 'held'; message: string }
  /** EC2 did not take the request; another attempt comes later. */
  | { outcome: 'failed'; message: string };

export type HibernationPlan =
  | { outcome: 'plan'; method: HibernationMethod; message: string }
  /** It is stopped already. */
  | { outcome: 'stopped'; message: string }
  | { outcome: 'gone'; message: string }
  /** It could only be ended, and a stop switch or the cap holds that back. */
  | { outcome: 'held'; message: string }
  /** Nothing can or may be done; says why. */
  | { outcome: 'impossible'; message: string };

export type StopResult =
  | { outcome: 'requested'; message: string }
  /** A stop switch, a cap or a protection holds it back. */
  | { outcome: 'held'; message: string }
  /** Between two attempts it turned out that it isn't wanted any more. */
  | { outcome: 'cancelled'; message: string }
  | { outcome: 'failed'; message: string };

/** Activities on the queue of one AWS account and region. */
export interface Ec2Activities {
  planSwitch(request: SwitchPlanRequest): Promise<SwitchPlan>;
  /** Where a replica fails least likely together with its primary; never the primary's own pool. */
  planReplica(request: ReplicaPlanRequest): Promise<SwitchPlan>;
  /** Writes the launch intent, then launches with a token that makes a repeat harmless. */
  launchInstance(request: LaunchRequest): Promise<LaunchResult>;
  /** What came of a launch whose own answer was lost; null when EC2 shows no instance of it. */
  findLaunch(request: {
    launchId: string;
    accountId: string;
    region: string;
  }): Promise<{ instanceId: string | null }>;
  /** Asks EC2 what became of an instance. An API error is `unknown`, which is not gone. */
  lookUpInstance(address: InstanceAddress): Promise<{ sighting: InstanceSighting; message: string }>;
  terminateInstance(request: InstanceAddress & { reason: string }): Promise<TerminationResult>;
  /** Fails, to be retried, until EC2 itself calls the instance terminated; then writes that down. */
  proveTerminated(address: InstanceAddress): Promise<{ message: string }>;
}

/** EC2's part in putting machines to rest and waking them up; on the same queues. */
export interface HibernationActivities {
  /** How this machine can be put to rest. Reads only. */
  planHibernation(request: InstanceAddress & { cause: HibernationCause }): Promise<HibernationPlan>;
  /** Asks EC2 to stop the machine, unless a stop switch holds that back. */
  stopInstance(
    request: InstanceAddress & { how: 'hibernate' | 'stop'; force: boolean; reason: string },
  ): Promise<StopResult>;
  /** Fails, to be retried, until EC2 itself calls the instance stopped. */
  proveStopped(request: InstanceAddress & { askedAt?: string }): Promise<{ message: string }>;
  /** Makes an image, or finds the one that an earlier attempt of the same purpose made. */
  createImage(request: InstanceAddress & { purpose: string; reason: string }): Promise<{ imageId: string }>;
  /** Fails, to be retried, until the image is available; for good when it failed. */
  proveImageAvailable(request: InstanceAddress & { imageId: string }): Promise<{ message: string }>;
  /** Begins a snapshot of each volume, or finds those of an earlier attempt of the same purpose. */
  snapshotVolumes(
    request: InstanceAddress & { purpose: string; reason: string },
  ): Promise<{ snapshotIds: string[] }>;
  /** Fails, to be retried, until all are completed; for good when one failed. */
  proveSnapshotsCompleted(request: InstanceAddress & { snapshotIds: string[] }): Promise<{ message: string }>;
  /**
   * Whether a machine of which all is saved may be ended now: the last look before its agent gives it up. Takes the room
   * that its end needs under the cap.
   */
  mayEnd(request: InstanceAddress): Promise<{ may: true } | { may: false; message: string }>;
  startInstance(request: InstanceAddress & { reason: string }): Promise<{
    outcome: ResumptionOutcome;
    message: string;
  }>;
}

export interface PricesRecorded {
  /** Instance types in use. */
  types: number;
  /** Prices that were new. */
  prices: number;
  /** What could not be asked, in sentences. */
  failures: string[];
}

/** On the queue of one AWS account and region. */
export interface PriceActivities {
  recordPrices(request: { accountId: string; region: string }): Promise<PricesRecorded>;
}

/** Types of the failures that activities throw, named by what happens next. */
export const failureTypes = {
  /** AWS refuses for want of permission: a person must act, no retry helps. */
  notPermitted: 'NotPermitted',
  /** The request can never succeed as it is. */
  never: 'Never',
  /** Try the same again soon. */
  retry: 'Retry',
  /** AWS asks for fewer calls: try the same again later. */
  throttled: 'Throttled',
  /** EC2 does not call the instance terminated yet. */
  notTerminatedYet: 'NotTerminatedYet',
  /** EC2 does not call it stopped, available or completed yet. */
  notDoneYet: 'NotDoneYet',
  /** To updates: another switch of the agent runs; its number and workflow id are in the details. */
  switchRunning: 'SwitchRunning',
  /** To updates: there is no primary to move. */
  noPrimary: 'NoPrimary',
  /** To updates: the agent's state doesn't allow it. */
  notNow: 'NotNow',
  /** To updates: the request is not of the right form. */
  invalidRequest: 'InvalidRequest',
} as const;
