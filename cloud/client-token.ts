/** The client token of a launch: what makes its repeat the same launch. */
import { createHash } from 'node:crypto';
import { type Pool, poolId } from '../contracts/states';

export interface LaunchAttempt {
  agentId: string;
  /** The incarnation that the launch is to become. */
  toIncarnation: number;
  /** The switch or the replica that it is for. */
  switchNumber: number | null;
  replicaId?: string | null;
  /** From 1, over all pools of it. */
  attempt: number;
  pool: Pool;
  /** In it because the user data holds it, and EC2 refuses a token whose parameters changed. */
  launchId: string;
}

/**
 * 64 hexadecimal digits, which is EC2's limit: the same for every repeat of one attempt, another for every other. EC2
 * keeps the tokens of launches that name a zone by zone, so one token could launch once in each; the pool is in it, so
 * it never meets another zone.
 */
export function clientTokenOf(launch: LaunchAttempt): string {
  const { agentId, toIncarnation, switchNumber, replicaId, attempt, pool, launchId } = launch;
  const parts = [agentId, toIncarnation, switchNumber ?? replicaId, attempt, poolId(pool), launchId];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
