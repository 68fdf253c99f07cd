/**
 * The HTTP API's requests and replies: the one source for validation and types. Unknown fields are ignored, empty text
 * is unknown, times without a zone are UTC.
 */
import { z } from 'zod';
import type { AgentPolicy } from './messages';
import type { HibernationReading } from './reads';
import type { ReplicaMode } from './replicas';
import { type InstanceRole, parsePoolId } from './states';

/** Text where empty means unknown. */
const optionalText = (max = 255) =>
  z
    .string()
    .max(max)
    .nullish()
    .transform((text) => (text === undefined || text === null || text.trim() === '' ? null : text.trim()));

const requiredText = (max = 255) => z.string().trim().min(1).max(max);

/** A point in time; one without a zone is UTC. Becomes ISO 8601 in UTC. */
export const instantSchema = z
  .string()
  .max(64)
  .transform((text, context) => {
    const zoned = /(?:Z|[+-]\d\d:?\d\d)$/i.test(text) ? text : `${text}Z`;
    const instant = new Date(zoned);
    if (!Number.isNaN(instant.getTime())) return instant.toISOString();
    context.addIssue({ code: 'custom', message: 'is not a time such as 2026-01-31T12:00:00Z' });
    return z.NEVER;
  });

const modeSchema = z.enum(['spot', 'ondemand']);

/** Any opaque id, EC2's or another's. */
const instanceIdSchema = requiredText(128).regex(
  /^[\w.:-]+$/,
  'holds other characters than letters, digits, . : _ -',
);

export const registerRequestSchema = z.object({
  logical_agent_id: requiredText(),
  instance_id: instanceIdSchema,
  instance_type: requiredText(64),
  region: requiredText(64),
  az: requiredText(64),
  ami_id: optionalText(),
  mode: modeSchema,
  hostname: optionalText(),
  private_ip: optionalText(64),
  public_ip: optionalText(64),
  agent_version: optionalText(64),
  account_id: optionalText(32),
});
export type RegisterRequest = z.output<typeof registerRequestSchema>;

export interface RegisterReply {
  agent_id: string;
  /** Shown this once; binds agent, instance and incarnation. */
  agent_token: string;
  role: InstanceRole;
  incarnation: number;
  /** Of a replica: what it reports its sync under. */
  replica_id: string | null;
  heartbeat_interval_seconds: number;
  config_revision: number;
}

/** What a machine measures, and the most that can be: nothing is below 0. */
export const READINGS = {
  vram_used_gb: 1e6,
  /** Percent of all processors, or of one where the sender counts so. */
  cpu_utilization: 1e5,
  ram_used_gb: 1e6,
  disk_used_gb: 1e9,
  /** Dollars. */
  cost_accumulated: 1e9,
  uptime_seconds: 2 ** 31 - 1,
} as const;

/** What can't be read as a number within bounds is unknown: a broken sensor makes no heartbeat unheard. */
export function readingOf(value: unknown, max: number): number | null {
  return typeof value === 'number' && value >= 0 && value <= max ? value : null;
}

const reading = (max: number) =>
  z
    .unknown()
    .optional()
    .transform((value) => readingOf(value, max));

const MOST_GPUS = 64;

/**
 * Percent, of the busiest GPU: `gpu_utilization` is a number or a list, `gpus` a list of `{utilization}`. One that can't
 * be read makes the whole unknown, since it may be the busiest.
 */
export function busiestGpu(utilization: unknown, gpus: unknown): number | null {
  const values: unknown[] = Array.isArray(utilization) ? [...(utilization as unknown[])] : [];
  if (!Array.isArray(utilization) && utilization !== undefined) values.push(utilization);
  if (Array.isArray(gpus)) {
    for (const gpu of gpus) values.push((gpu as { utilization?: unknown } | null)?.utilization);
  } else if (gpus !== undefined) {
    return null;
  }
  if (values.length === 0 || values.length > MOST_GPUS) return null;
  const known = values.map((value) => readingOf(value, 100));
  return known.every((value) => value !== null) ? Math.max(...known) : null;
}

const emptyIsUnknown = z.literal('').transform(() => null);

const heartbeatFields = {
  /** Dumont's `running` is the guide's `online`. */
  status: z
    .enum(['online', 'running', 'offline', ''])
    .nullish()
    .transform((status) => (status === 'offline' ? ('offline' as const) : ('online' as const))),
  instance_type: optionalText(64),
  mode: z.union([modeSchema, emptyIsUnknown]).nullish(),
  az: optionalText(64),
  health: z
    .enum(['healthy', 'unhealthy', ''])
    .nullish()
    .transform((health) => (health === 'unhealthy' ? ('unhealthy' as const) : ('healthy' as const))),
  /** See busiestGpu. */
  gpu_utilization: z.unknown().optional(),
  gpus: z.unknown().optional(),
  vram_used_gb: reading(READINGS.vram_used_gb),
  cpu_utilization: reading(READINGS.cpu_utilization),
  ram_used_gb: reading(READINGS.ram_used_gb),
  disk_used_gb: reading(READINGS.disk_used_gb),
  cost_accumulated: reading(READINGS.cost_accumulated),
  uptime_seconds: reading(READINGS.uptime_seconds),
};

/**
 * A heartbeat of the agent guide's dialect, with Dumont's readings if it has them. Who and where it is from must be
 * readable; a reading that is not is unknown.
 */
export const heartbeatRequestSchema = z.object({
  ...heartbeatFields,
  /** Null in the sources' ExecStop and in the oldest agents. */
  instance_id: z.union([instanceIdSchema, emptyIsUnknown]).nullish(),
});

/** `POST /api/agent/status`: the same by a sender that never registered. */
export const statusRequestSchema = z.object({ ...heartbeatFields, instance_id: instanceIdSchema });

export type HeartbeatRequest = z.output<typeof heartbeatRequestSchema>;

export type HeartbeatAction =
  | { type: 'stand_down'; message: string; incarnation: number }
  | { type: 'hibernate_warning'; message: string; countdown_seconds: number };

/** Dumont's reply. */
export interface StatusReply {
  success: true;
  message: string;
  next_heartbeat_in_seconds: number;
  actions: HeartbeatAction[];
}

export interface HeartbeatReply extends StatusReply {
  incarnation: number;
  role: InstanceRole;
  config_revision: number;
}

export const terminationImminentRequestSchema = z.object({
  instance_id: instanceIdSchema,
  action: z.enum(['terminate', 'stop', 'hibernate']).default('terminate'),
  time: instantSchema,
});

export const rebalanceRecommendationRequestSchema = z.object({
  instance_id: instanceIdSchema,
  notice_time: instantSchema,
});

export const switchRequestSchema = z.object({
  target_mode: modeSchema.nullish().transform((mode) => mode ?? null),
  target_pool_id: requiredText(128)
    .transform((text, context) => {
      const pool = parsePoolId(text);
      if (pool) return pool;
      context.addIssue({ code: 'custom', message: 'is not a pool such as p3.2xlarge/us-east-1a/spot' });
      return z.NEVER;
    })
    .nullish()
    .transform((pool) => pool ?? null),
  terminate_wait_seconds: z
    .number()
    .int()
    .min(1)
    .max(7 * 24 * 3600)
    .nullish()
    .transform((seconds) => seconds ?? null),
  /** Sending it again with the same id asks for the same switch. */
  request_id: optionalText(128),
});

export interface SwitchReply {
  success: true;
  switch_number: number;
  switch_workflow_id: string;
}

const keepAliveMinutes = z
  .number()
  .positive()
  .max(60 * 24 * 30);

/** Two names of the same; 60 when neither is there. */
export const keepAliveRequestSchema = z
  .object({ minutes: keepAliveMinutes.optional(), valid_for_minutes: keepAliveMinutes.optional() })
  .transform(({ minutes, valid_for_minutes }) => ({ minutes: minutes ?? valid_for_minutes ?? 60 }));

export interface AgentSummary {
  agent_id: string;
  logical_agent_id: string;
  status: string;
  health: string;
  incarnation: number;
  instance_id: string | null;
  instance_type: string | null;
  mode: string | null;
  az: string | null;
  region: string | null;
  last_heartbeat: string | null;
  seconds_since_heartbeat: number | null;
  /** Of the busiest GPU in the newest heartbeat; null while it is unknown or the agent is not heard. */
  gpu_utilization: number | null;
  /** Whether a person asked that no policy stops or deletes its machine. */
  protected: boolean;
  /** While it is warned of being hibernated for its idleness: in how many seconds, and why. */
  idle_warning: { seconds_left: number; reason: string } | null;
  hibernation: HibernationReading | null;
  active_switch: string | null;
  keep_alive_until: string | null;
  workflow_id: string;
  workflow_url: string | null;
}

export interface SystemEventView {
  id: string;
  event_type: string;
  created_at: string;
  severity: 'info' | 'warning' | 'critical';
  client_id: string;
  agent_id: string | null;
  instance_id: string | null;
  message: string;
  details: Record<string, unknown>;
}

/** A page of a client's agents; `next_after` continues it, null at the end. */
export interface AgentList {
  agents: AgentSummary[];
  next_after: string | null;
}

/** A machine of an agent, with its lease if it ever had one. */
export interface InstanceView {
  instance_id: string;
  instance_type: string;
  az: string;
  region: string;
  account_id: string;
  mode: string;
  ami_id: string | null;
  hostname: string | null;
  private_ip: string | null;
  public_ip: string | null;
  agent_version: string | null;
  instance_status: string;
  role: string | null;
  incarnation: number | null;
  launch_id: string | null;
  registered_at: string | null;
  zombie_since: string | null;
  termination_attempted_at: string | null;
  termination_confirmed: boolean;
  terminated_at: string | null;
  lease: {
    state: string;
    health: string;
    heartbeats: number;
    last_heartbeat: string;
    lease_until: string;
  } | null;
}

export interface AgentDetail extends AgentSummary {
  replica_mode: ReplicaMode;
  no_primary_reason: string | null;
  auto_switch_enabled: boolean;
  auto_terminate_enabled: boolean;
  terminate_wait_seconds: number;
  created_at: string;
  instances: InstanceView[];
}

/** Ids that people choose: they go into workflow queries and addresses. */
const chosenIdSchema = requiredText(64).regex(
  /^[\w.-]+$/,
  'holds other characters than letters, digits, . _ -',
);

const durationSchema = z
  .number()
  .positive()
  .max(30 * 24 * 3600)
  .optional();

const policyModeSchema = z.enum(['act', 'report', 'off']).optional();

/** A client's own settings; what is left out stays at the shipped default. */
export const clientPolicySchema = z.object({
  heartbeatIntervalSeconds: durationSchema,
  terminateWaitSeconds: durationSchema,
  orphanAfterSeconds: durationSchema,
  hibernateAfterSilenceSeconds: durationSchema,
  forceStopAfterSilenceSeconds: durationSchema,
  deleteAfterOrphanedSeconds: durationSchema,
  idleGpuThresholdPercent: z.number().min(0).max(100).optional(),
  idleWarningSeconds: durationSchema,
  idleHibernateSeconds: durationSchema,
  minimumUptimeSeconds: durationSchema,
  silencePolicy: policyModeSchema,
  idlePolicy: policyModeSchema,
  deletePolicy: policyModeSchema,
  candidateDeadlineSeconds: durationSchema,
  switchDeadlineSeconds: durationSchema,
  retrySeconds: durationSchema,
  /** Of the client's machines, how large a share may be ended in an hour; and how many in any case. */
  terminationCapShare: z.number().min(0).max(1).optional(),
  // To hold all back there is the stop switch, which says so.
  terminationCapAtLeast: z.number().int().min(1).max(100_000).optional(),
}) satisfies z.ZodType<Partial<AgentPolicy>>;

export const createClientRequestSchema = z.object({
  id: chosenIdSchema,
  name: optionalText(),
  policy: clientPolicySchema.default({}),
});

export interface ClientView {
  id: string;
  name: string;
  policy: Record<string, unknown>;
  created_at: string;
}

export const createTokenRequestSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('admin'), label: optionalText() }),
  z.object({ kind: z.literal('client'), client_id: chosenIdSchema, label: optionalText() }),
  z.object({
    kind: z.literal('user'),
    client_id: chosenIdSchema,
    /** False reads only. */
    can_act: z.boolean().default(false),
    label: optionalText(),
  }),
]);

export interface CreateTokenReply {
  id: string;
  kind: string;
  client_id: string | null;
  /** Shown this once. */
  token: string;
}

export interface AcceptedReply {
  success: true;
  message: string;
}

export interface KeepAliveReply extends AcceptedReply {
  valid_for_minutes: number;
}

export interface HibernateReply extends AcceptedReply {
  workflow_id: string;
}

export interface ResumeReply extends AcceptedReply {
  workflow_id: string;
}

export const protectionRequestSchema = z.object({ protected: z.boolean() });

export interface ProtectionReply extends AcceptedReply {
  protected: boolean;
}

export const deleteQuerySchema = z.object({
  /** What becomes of the primary's machine: left to its owner, or terminated. */
  instances: z.enum(['keep', 'retire']).default('keep'),
});

export interface DeleteReply extends AcceptedReply {
  agent_id: string;
  /** Of the machine that is terminated after the wait; null when none is. */
  retirement_workflow_id: string | null;
}

export const stopSwitchRequestSchema = z.object({ reason: requiredText(500) });

export interface StopSwitchView {
  /** Whether nothing is stopped or terminated now. */
  holds: boolean;
  switches: { scope: 'system' | 'client'; reason: string; set_by: string; set_at: string }[];
}

export const massSilenceRequestSchema = z.object({ note: requiredText(500) });

export interface MassSilenceReading {
  /** Null for the whole system's, for which nothing of any client is stopped. */
  client_id: string | null;
  began_at: string;
  /** When agents were lost to it last. */
  last_lost_at: string;
  /** Of the client or the system, and how many of them were late or silent when it was worst. */
  agents: number;
  silent_agents: number;
  /** Whose machines are held while it is open: 0 once it is closed. Null for the system's, where it isn't counted. */
  still_silent: number | null;
  closed_at: string | null;
  /** Who looked into it, and what came of that; null when all agents were heard again before. */
  closed_by: string | null;
  note: string | null;
}

/** A client's: the open one, for which nothing is stopped until it was looked into, and the latest that were. */
export interface MassSilenceView {
  client_id: string;
  open: MassSilenceReading | null;
  closed: MassSilenceReading[];
}

/** Those that are open, of all clients that the caller sees, and for administrators the system's. */
export interface MassSilenceList {
  mass_silences: MassSilenceReading[];
}
