/** What people read of agents and their machines: query parameters and replies. Keys are the sources' own. */
import { z } from 'zod';
import { AGENT_STATUSES, type AgentStatus } from './states';

/** A parameter's description completes the sentence "The query parameter x takes …". */
const text = (max: number, what: string) => z.string().max(max).optional().describe(what);

const idText = (what: string) =>
  z
    .string()
    .regex(/^[\w.:-]{1,128}$/)
    .optional()
    .describe(what);

/** Pages stay so small that one is answered within 50 ms, whatever lies in the books; see docs/performance.md. */
const MOST_ROWS = 200;
const MOST_POINTS = 500;

const limit = (fallback: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/)
    .transform(Number)
    .pipe(z.number().min(1).max(max))
    .default(fallback)
    .describe(`a whole number from 1 to ${max}`);

/** A time; one without a zone is UTC. */
const time = z
  .string()
  .max(64)
  .transform((value) => new Date(/(?:Z|[+-]\d\d:?\d\d)$/i.test(value) ? value : `${value}Z`))
  .refine((at) => at.getTime() >= Date.UTC(2000, 0) && at.getTime() < Date.UTC(2100, 0))
  .optional()
  .describe('a time such as 2026-01-31T12:00:00Z, from 2000 to 2100');

export const LIVING_STATUSES = AGENT_STATUSES.filter(
  (status): status is Exclude<AgentStatus, 'deleted'> => status !== 'deleted',
);
const STATUS_WORDS = [...LIVING_STATUSES, 'running'] as const;

/** Which agents a list shows; nothing named shows all. `running` is Dumont's word for `online`. */
const agentFilter = {
  status: z
    .enum(STATUS_WORDS)
    .transform((status) => (status === 'running' ? 'online' : status))
    .optional()
    .describe(`one of ${STATUS_WORDS.join(', ')}`),
  health: z.enum(['healthy', 'unhealthy']).optional().describe('healthy or unhealthy'),
  mode: z.enum(['spot', 'ondemand']).optional().describe('spot or ondemand'),
  az: text(64, 'an availability zone such as us-east-1a'),
  region: text(64, 'a region such as us-east-1'),
  search: text(128, 'a part of a name or id, of at most 128 characters'),
};

export interface AgentFilter {
  status?: Exclude<AgentStatus, 'deleted'> | undefined;
  health?: 'healthy' | 'unhealthy' | undefined;
  mode?: 'spot' | 'ondemand' | undefined;
  az?: string | undefined;
  region?: string | undefined;
  /** Found anywhere in the agent's logical id or id, or in its instance's id; large and small letters are the same. */
  search?: string | undefined;
}

export const agentListQuerySchema = z.object({
  ...agentFilter,
  limit: limit(100, MOST_ROWS),
  after: idText('the next_after of the page before'),
});

export const instanceListQuerySchema = z.object({
  ...agentFilter,
  client_id: idText('the id of a client'),
  limit: limit(100, MOST_ROWS),
  after: idText('the next_after of the page before'),
});

export const clientQuerySchema = z.object({ client_id: idText('the id of a client') });

export const deletedAgentsQuerySchema = z.object({
  search: agentFilter.search,
  limit: limit(100, MOST_ROWS),
  after: z
    .string()
    .regex(/^\d{1,17}\.[\w-]{1,64}$/)
    .optional()
    .describe('the next_after of the page before'),
});

export const agentHistoryQuerySchema = z.object({
  limit: limit(100, MOST_ROWS),
  after: z
    .string()
    .regex(/^\d{1,18}$/)
    .optional()
    .describe('the next_after of the page before'),
});

export const RESOLUTIONS = ['raw', '5m', '1h', '6h'] as const;
export type Resolution = (typeof RESOLUTIONS)[number];

export const samplesQuerySchema = z.object({
  from: time,
  to: time,
  resolution: z
    .enum([...RESOLUTIONS, 'auto'])
    .default('auto')
    .describe('one of auto, raw, 5m, 1h, 6h'),
  instance_id: idText('the id of an instance'),
  limit: limit(MOST_POINTS, MOST_POINTS),
});

/** A machine in the words of the Dumont dialect, where agents and instances are one. */
export interface HeartbeatInstance {
  instance_id: string;
  /** The agent's logical id. */
  name: string;
  agent_id: string;
  /** The agent's status while this is its primary, `running` for online; else what the machine is: `zombie`, … */
  status: string;
  last_heartbeat: string | null;
  seconds_since_heartbeat: number | null;
  /** `unhealthy` also while it is silent. */
  health: 'healthy' | 'unhealthy';
  /** Of the busiest GPU in the newest heartbeat; null while it is unknown or the instance is not heard. */
  gpu_utilization: number | null;
  /** Dollars since midnight UTC, by the prices in force; null where one isn't known. */
  cost_today: number | null;
  /** Dollars, as the agent itself reported them last. */
  cost_accumulated: number | null;
  instance_type: string;
  mode: string;
  az: string;
  region: string;
  /** There while someone should look. */
  alert?: string;
}

export interface HeartbeatInstanceList {
  instances: HeartbeatInstance[];
  /** Continues the list; null at its end. */
  next_after: string | null;
}

export interface HeartbeatInstanceDetail extends HeartbeatInstance {
  total_heartbeats: number;
  first_heartbeat: string | null;
  /** Of the heartbeats that were due since the first, the share that came. */
  uptime_percent: number | null;
  missed_heartbeats: number;
  /** Over the last 24 hours. */
  avg_gpu_utilization: number | null;
  /** Newest first. */
  recent_heartbeats: {
    timestamp: string;
    gpu_utilization: number | null;
    vram_used_gb: number | null;
    status: string;
  }[];
  keep_alive: { until: string; seconds_left: number } | null;
  protected: boolean;
  hibernation: HibernationReading | null;
}

/** How an agent is, or is being, put to rest or woken. */
export interface HibernationReading {
  phase: string;
  cause: string;
  method: string | null;
  image_id: string | null;
  since: string;
  message: string;
  workflow_id: string;
}

export interface DeletedAgent {
  agent_id: string;
  logical_agent_id: string;
  status: 'deleted';
  incarnation: number;
  instance_id: string | null;
  instance_type: string | null;
  mode: string | null;
  az: string | null;
  region: string | null;
  created_at: string;
  deleted_at: string;
  workflow_id: string;
  workflow_url: string | null;
}

export interface DeletedAgentList {
  agents: DeletedAgent[];
  next_after: string | null;
}

export interface SwitchReading {
  switch_number: number;
  switch_workflow_id: string;
  started_at: string;
  launches: {
    attempt: number;
    instance_type: string;
    az: string;
    mode: string;
    outcome: string;
    instance_id: string | null;
    error: string | null;
    created_at: string;
  }[];
}

/** A point of a chart: one heartbeat at resolution `raw`, else the sum of those in its step. */
export interface SampleReading {
  timestamp: string;
  instance_id: string;
  samples: number;
  missed_heartbeats: number;
  unhealthy_samples: number;
  idle_samples: number;
  /** The average, as all but the largest; null is unknown. */
  gpu_utilization: number | null;
  gpu_utilization_max: number | null;
  vram_used_gb: number | null;
  cpu_utilization: number | null;
  ram_used_gb: number | null;
  disk_used_gb: number | null;
  cost_accumulated: number | null;
}

export interface SampleList {
  agent_id: string;
  resolution: Resolution;
  from: string;
  to: string;
  samples: SampleReading[];
  /** More than these lie in the span: ask again from `next_from`, or for a coarser resolution. */
  truncated: boolean;
  next_from: string | null;
}
