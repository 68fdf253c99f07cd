/**
 * Replicas: warm second instances of an agent, as workflows, books and API speak of them. Plain JSON; times are ISO 8601
 * in UTC.
 */
import type { AgentPolicy, InstanceFacts } from './messages';
import type { Pool, ReplicaStatus } from './states';

/** `manual`: one for as long as a person wants it. `automatic`: one while the primary is a spot instance. */
export const REPLICA_MODES = ['none', 'manual', 'automatic'] as const;
export type ReplicaMode = (typeof REPLICA_MODES)[number];
export type ReplicaType = Exclude<ReplicaMode, 'none'>;

/** A report of its state older than this says nothing of now: such a replica is not promoted. */
export const SYNC_FRESH_SECONDS = 10;

export interface ReplicaInput {
  clientId: string;
  agentId: string;
  logicalAgentId: string;
  replicaId: string;
  replicaType: ReplicaType;
  /** What it is to stand in for: no pool of this machine's is used. */
  primary: InstanceFacts;
  toIncarnation: number;
  reason: string;
  policy: AgentPolicy;
  carried?: unknown;
  historyLimitEvents?: number;
}

/** Signal `candidateRegistered` of a replica: its instance has registered. */
export interface ReplicaRegistered {
  instanceId: string;
  launchId: string;
}

/** Signal `syncStatus`: the replica has become, or is no longer, one that could be promoted. */
export interface SyncStatusNews {
  instanceId: string;
  /** Rises with each change, so that a late or repeated delivery is recognised. */
  revision: number;
  ready: boolean;
  message: string;
}

export type ReplicaOutcome = 'promoted' | 'terminated' | 'failed';

/** What a replica's workflow tells its agent. */
export type ReplicaReport =
  | { kind: 'replicaRefused'; replicaId: string; pool: Pool; message: string }
  | { kind: 'replicaLaunched'; replicaId: string; launchId: string; instanceId: string; pool: Pool }
  /** The launch won't be used: whatever came of it is to be retired at once. */
  | {
      kind: 'replicaAbandoned';
      replicaId: string;
      launchId: string;
      instanceId: string | null;
      message: string;
    }
  | { kind: 'replicaReady'; replicaId: string; ready: boolean; message: string }
  | { kind: 'replicaEnded'; replicaId: string; outcome: ReplicaOutcome; message: string };

/** Reply to the query `replicaState`. */
export interface ReplicaStateView {
  phase: 'choosing' | 'launching' | 'awaiting_agent' | 'syncing' | 'ready' | 'ended';
  attempts: { pool: Pool; launchId: string; instanceId: string | null; result: string }[];
  outcome: ReplicaOutcome | null;
  message: string;
  rejectedMessages: string[];
}

/** A replica as the books show it. */
export interface ReplicaChange {
  replicaId: string;
  replicaType: ReplicaType;
  status: ReplicaStatus;
  instanceId: string | null;
  launchId: string | null;
  pool: Pool | null;
  message: string;
}

export interface SetReplicaModeRequest {
  mode: ReplicaMode;
  requestedBy: string;
}

export interface PromoteReplicaRequest {
  /** Null promotes the one that is ready. */
  replicaId: string | null;
  requestedBy: string;
}

export interface PromotionAccepted {
  replicaId: string;
  instanceId: string;
}
