/** Requests and replies about replicas. Keys are the sources' where they have them. */
import { z } from 'zod';
import { REPLICA_MODES, type ReplicaMode, type ReplicaType } from './replicas';
import { type InstanceRole, REPLICA_STATUSES, type ReplicaStatus } from './states';

export const replicaModeRequestSchema = z.object({ mode: z.enum(REPLICA_MODES) });

export const replicaStatusQuerySchema = z.object({ status: z.enum(REPLICA_STATUSES).optional() });

const number = (min: number, max: number) =>
  z
    .number()
    .min(min)
    .max(max)
    .nullish()
    .transform((value) => value ?? null);

export const syncStatusRequestSchema = z.object({
  sync_status: z.string().trim().min(1).max(64),
  sync_latency_ms: number(0, 2 ** 31 - 1),
  /** Percent. */
  state_transfer_progress: number(0, 100),
  /** Whose state was copied; a report of an earlier incarnation's makes no replica ready. */
  source_incarnation: z
    .number()
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .nullish()
    .transform((value) => value ?? null),
});

export interface ReplicaView {
  id: string;
  replica_id: string;
  agent_id: string;
  replica_type: ReplicaType;
  /** The source's two names of the same. */
  status: ReplicaStatus;
  instance_status: ReplicaStatus;
  instance_id: string | null;
  instance_type: string | null;
  az: string | null;
  mode: string | null;
  sync_status: string | null;
  sync_latency_ms: number | null;
  state_transfer_progress: number | null;
  last_sync_at: string | null;
  message: string | null;
  created_at: string;
  ready_at: string | null;
  promoted_at: string | null;
  terminated_at: string | null;
  termination_confirmed: boolean;
  workflow_id: string;
}

export interface ReplicaList {
  replica_mode: ReplicaMode;
  replicas: ReplicaView[];
}

export interface ReplicaModeReply {
  success: true;
  message: string;
  replica_mode: ReplicaMode;
}

export interface PromoteReply {
  success: true;
  message: string;
  replica_id: string;
  instance_id: string;
}

export interface SyncStatusReply {
  success: true;
  message: string;
  status: ReplicaStatus;
  /** What the sender is now: `primary` once it was promoted. */
  role: InstanceRole;
  incarnation: number;
  /** Whose state is to be copied; null while there is no primary. */
  primary: { instance_id: string; private_ip: string | null; incarnation: number } | null;
}
