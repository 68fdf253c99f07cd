/** The states of the domain (DESIGN: words). Unions with their predicates, nothing else. */

export const AGENT_STATUSES = [
  'online',
  'silent',
  'orphaned',
  'offline',
  'hibernating',
  'hibernated',
  'deleted',
] as const;
export type AgentStatus = (typeof AGENT_STATUSES)[number];

export type Health = 'healthy' | 'unhealthy';

/** An instance's life in the books, in order: a row never goes back. */
export const INSTANCE_STATUSES = [
  'launching',
  'running',
  'primary',
  'zombie',
  'terminating',
  'terminated',
] as const;
export type InstanceStatus = (typeof INSTANCE_STATUSES)[number];

export const REPLICA_STATUSES = [
  'launching',
  'syncing',
  'ready',
  'promoted',
  'terminating',
  'terminated',
  'failed',
] as const;
export type ReplicaStatus = (typeof REPLICA_STATUSES)[number];

/** How an instance is paid for; also the wire's `mode`. */
export type PurchaseOption = 'spot' | 'ondemand';

/** Why a switch runs: by policy, for a person, or because a machine is going or gone. */
export type SwitchPriority = 'automatic' | 'manual' | 'emergency';

/** The part an instance plays for its agent, which decides what it hears in replies. */
export type InstanceRole = 'primary' | 'candidate' | 'replica' | 'superseded';

/** Where a machine can be had: instance type × availability zone × purchase option. */
export interface Pool {
  instanceType: string;
  zone: string;
  option: PurchaseOption;
}

/** A pool's id on the wire, for example `p3.2xlarge/us-east-1a/spot`. */
export function poolId(pool: Pool): string {
  return `${pool.instanceType}/${pool.zone}/${pool.option}`;
}

/** Reads a pool's id; null if it isn't one. */
export function parsePoolId(text: string): Pool | null {
  const [instanceType, zone, option, ...rest] = text.split('/');
  if (!instanceType || !zone || rest.length > 0) return null;
  if (option !== 'spot' && option !== 'ondemand') return null;
  return { instanceType, zone, option };
}
