/**
 * What one heartbeat changes, as expressions over its lease as it was (`leases`) and what it says (`known`, of
 * leases.ts): how the lease goes on, since when the GPU is idle, and whether the workflow must hear.
 *
 * Invariants:
 *   N1  the workflow hears of the first beat, the first after silence or a goodbye, another health, mode or zone, and
 *       of idleness that begins or ceases to be long enough for a warning; and of nothing else;
 *   N2  what a superseded instance says drives nothing;
 *   N3  idleness is known, never supposed: a reading that is missing, a busy one or a gap of more than two intervals
 *       ends it, as looking at the samples would.
 */
import type { Health, InstanceRole, PurchaseOption } from '../contracts/states';
import { missedSince } from './owed-beats';

export interface Beat {
  clientId: string;
  agentId: string;
  instanceId: string;
  /** False for a goodbye that named no instance (the sources' ExecStop); it was taken to be the primary's. */
  named: boolean;
  status: 'online' | 'offline';
  health: Health;
  /** Null is unknown, and changes nothing. */
  mode: PurchaseOption | null;
  zone: string | null;
  readings: Readings;
}

/** What the machine measures. Null is unknown, never zero. */
export interface Readings {
  /** Of the busiest GPU. */
  gpuUtilizationPercent: number | null;
  vramUsedGb: number | null;
  cpuUtilizationPercent: number | null;
  ramUsedGb: number | null;
  diskUsedGb: number | null;
  /** Dollars. */
  costAccumulated: number | null;
  uptimeSeconds: number | null;
}

/** What the sender of a stored beat is told. */
export interface Standing {
  role: InstanceRole;
  /** The instance's own; for a candidate the one reserved for it. */
  incarnation: number;
  /** The agent's newest committed one. */
  currentIncarnation: number;
  intervalSeconds: number;
  configRevision: number;
  /** While the machine is to be hibernated for its idleness, which goes on. */
  warning: { secondsLeft: number; reason: string } | null;
}

/** The beat continues an idleness, rather than begins one. */
const GOES_ON = `leases.idle_since is not null
  and now() - leases.last_heartbeat_at <= make_interval(secs => 2 * known.interval_seconds)`;

const IDLE = `coalesce(known.idle, false)`;

export const IDLE_SINCE = `case when ${IDLE} then case when ${GOES_ON} then leases.idle_since else now() end end`;

/** Idle for longer than the warning window, which only the agent itself is told. */
export const IDLE_REPORTED = `${IDLE} and known.role = 'primary' and ${GOES_ON}
  and now() - leases.idle_since >= make_interval(secs => known.idle_warning_seconds)`;

/** Whether the workflow hears of it; `every` is the deployment's wish to show each beat. */
export const IS_TOLD = `known.role <> 'superseded' and (known.every_beat or case
    when known.offline then leases.state <> 'offline'
    else leases.state <> 'live' or leases.heartbeats = 0
      or leases.health <> known.health
      or known.mode <> coalesce(leases.mode, '')
      or known.az <> coalesce(leases.az, '')
      or leases.idle_reported <> (${IDLE_REPORTED})
  end)`;

/** Beats that were due since the one before. After a goodbye none is, nor while the machine was stopped. */
export const MISSED = `case when leases.state = 'offline' then 0 else least(32767,
  ${missedSince('leases.client_id', 'leases.instance_id', 'leases.last_heartbeat_at', 'known.interval_seconds')}) end`;
