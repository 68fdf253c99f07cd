/** The shipped settings (DESIGN: policy defaults) and how a demo's speed scales them. */
import type { AgentPolicy } from './messages';

export const DEFAULT_POLICY: AgentPolicy = {
  heartbeatIntervalSeconds: 30,
  terminateWaitSeconds: 300,
  orphanAfterSeconds: 5 * 60,
  hibernateAfterSilenceSeconds: 30 * 60,
  forceStopAfterSilenceSeconds: 2 * 3600,
  deleteAfterOrphanedSeconds: 7 * 24 * 3600,
  idleGpuThresholdPercent: 5,
  idleWarningSeconds: 3 * 60,
  idleHibernateSeconds: 5 * 60,
  minimumUptimeSeconds: 10 * 60,
  silencePolicy: 'act',
  idlePolicy: 'act',
  deletePolicy: 'act',
  candidateDeadlineSeconds: 5 * 60,
  switchDeadlineSeconds: 20 * 60,
  replicaSyncDeadlineSeconds: 30 * 60,
  alternativeInstanceTypes: [],
  retrySeconds: 5 * 60,
};

/** A lease lasts three heartbeats. */
export const LEASE_INTERVALS = 3;

/** Policy with every duration divided by `speed`. Results are seconds, at least one tenth. */
export function policyAtSpeed(policy: AgentPolicy, speed: number): AgentPolicy {
  const scaled = Object.entries(policy).map(([name, value]: [string, unknown]) =>
    name.endsWith('Seconds') ? [name, Math.max(0.1, (value as number) / speed)] : [name, value],
  );
  return Object.fromEntries(scaled) as AgentPolicy;
}
