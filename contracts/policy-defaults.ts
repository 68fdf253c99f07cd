/** The shipped settings (DESIGN: policy defaults) and how a demo's speed scales them. */
import type { AgentPolicy } from './messages';

export const DEFAULT_POLICY: AgentPolicy = {
  heartbeatIntervalSeconds: 30,
  terminateWaitSeconds: 300,
  orphanAfterSeconds: 5 * 60,
  candidateDeadlineSeconds: 5 * 60,
  switchDeadlineSeconds: 20 * 60,
  retrySeconds: 5 * 60,
};

/** A lease lasts three heartbeats. */
export const LEASE_INTERVALS = 3;

/** Policy with every duration divided by `speed`. Results are seconds, at least one tenth. */
export function policyAtSpeed(policy: AgentPolicy, speed: number): AgentPolicy {
  const scaled = Object.entries(policy).map(([name, seconds]) => [name, Math.max(0.1, seconds / speed)]);
  return Object.fromEntries(scaled) as AgentPolicy;
}
