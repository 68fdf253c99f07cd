/**
 * What a heartbeat's body says. The schemas of contracts/http.ts decide what is taken; a body of the usual form is read
 * here without them, since nothing else that is done with a heartbeat takes as long.
 */
import {
  busiestGpu,
  heartbeatRequestSchema,
  READINGS,
  readingOf,
  statusRequestSchema,
} from '../../contracts/http';
import type { Beat } from '../../db/heartbeat-news';
import { validate } from '../http/json-body';

/** A beat without whose it is; the instance is null where none is named. */
export type BeatBody = Pick<Beat, 'status' | 'health' | 'mode' | 'zone' | 'readings'> & {
  instanceId: string | null;
};

/**
 * @param dialect Dumont's `status` must name its instance.
 * @throws Problem 422 that lists each field's fault.
 */
export function readBeatBody(dialect: 'heartbeat' | 'status', body: unknown): BeatBody {
  return readUsual(body) ?? readByTheSchema(dialect, body);
}

type Fields = Record<string, unknown>;

const STATUSES = new Set<unknown>([undefined, 'online', 'running', 'offline']);
const HEALTHS = new Set<unknown>([undefined, 'healthy', 'unhealthy']);
const MODES = new Set<unknown>([undefined, null, 'spot', 'ondemand']);
const INSTANCE_ID = /^[\w.:-]{1,128}$/;
const PLACE = /^[\w-]{1,64}$/;
const TYPE = /^[\w.-]{1,64}$/;

/** Null for whatever has to be looked at more closely. */
export function readUsual(body: unknown): BeatBody | null {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return null;
  const { status, health, mode, az, instance_id, instance_type } = body as Fields;
  const usual =
    typeof instance_id === 'string' &&
    INSTANCE_ID.test(instance_id) &&
    STATUSES.has(status) &&
    HEALTHS.has(health) &&
    MODES.has(mode) &&
    (az === undefined || (typeof az === 'string' && PLACE.test(az))) &&
    (instance_type === undefined || (typeof instance_type === 'string' && TYPE.test(instance_type)));
  if (!usual) return null;
  return {
    instanceId: instance_id,
    status: status === 'offline' ? 'offline' : 'online',
    health: health === 'unhealthy' ? 'unhealthy' : 'healthy',
    mode: (mode as Beat['mode'] | undefined) ?? null,
    zone: (az as string | undefined) ?? null,
    readings: readReadings(body as Fields),
  };
}

export function readByTheSchema(dialect: 'heartbeat' | 'status', body: unknown): BeatBody {
  const request = validate(dialect === 'status' ? statusRequestSchema : heartbeatRequestSchema, body);
  return {
    instanceId: request.instance_id ?? null,
    status: request.status,
    health: request.health,
    mode: request.mode ?? null,
    zone: request.az,
    readings: readReadings(request),
  };
}

function readReadings(body: Fields): Beat['readings'] {
  return {
    gpuUtilizationPercent: busiestGpu(body.gpu_utilization, body.gpus),
    vramUsedGb: readingOf(body.vram_used_gb, READINGS.vram_used_gb),
    cpuUtilizationPercent: readingOf(body.cpu_utilization, READINGS.cpu_utilization),
    ramUsedGb: readingOf(body.ram_used_gb, READINGS.ram_used_gb),
    diskUsedGb: readingOf(body.disk_used_gb, READINGS.disk_used_gb),
    costAccumulated: cents(readingOf(body.cost_accumulated, READINGS.cost_accumulated)),
    uptimeSeconds: whole(readingOf(body.uptime_seconds, READINGS.uptime_seconds)),
  };
}

/** A millionth of a dollar is as fine as any price. */
function cents(dollars: number | null): number | null {
  return dollars === null ? null : Math.round(dollars * 1e6) / 1e6;
}

function whole(seconds: number | null): number | null {
  return seconds === null ? null : Math.floor(seconds);
}
