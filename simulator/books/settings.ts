/** What the control API has set, and what the services around EC2 keep. Plain JSON, like entities.ts. */

export type ServiceName = 'ec2' | 'sts' | 'pricing';

/** An IAM role that STS hands out. */
export interface Role {
  readonly arn: string;
  /** What AssumeRole must bring; null asks for none. */
  readonly externalId: string | null;
  readonly maxSessionSeconds: number;
  /** ARNs of users and roles, or ids of access keys; null trusts everyone. */
  readonly trusted: readonly string[] | null;
}

export interface PermissionRule {
  /** Of two rules for one call the one with the higher number holds. */
  readonly number: number;
  readonly effect: 'allow' | 'deny';
  /** Whether a refusal speaks of a policy that denies, or (false) of none that allows. */
  readonly explicit: boolean;
  /** `ec2:RunInstances`, `ec2:*`, `*`. */
  readonly action: string;
  /** `*`, the ARN of a user or role, or the id of an access key. */
  readonly principal: string;
}

/** A token bucket: what it holds when full, and how many tokens come back a second (of real time). */
export interface BucketSize {
  readonly capacity: number;
  readonly refill: number;
}

/** How many real seconds a call waits before it takes effect, and its answer after that. */
export interface Delay {
  readonly service: ServiceName | 'imds' | '*';
  /** `*` is any; of `imds` a path prefix. */
  readonly action: string;
  readonly beforeSeconds: number;
  readonly afterSeconds: number;
  /** Up to so much is added to each, evenly drawn. */
  readonly jitterSeconds: number;
}

export const FAULT_MODES = ['hang', 'drop-before', 'drop-after', 'hang-after', 'error-after'] as const;

/** A failure of the next calls of an action; control/faults.ts says what each mode does. */
export interface Fault {
  readonly id: number;
  /** `*` is any. */
  readonly action: string;
  readonly mode: (typeof FAULT_MODES)[number] | 'error';
  /** Of the modes `error` and `error-after`. */
  readonly code: string;
  readonly message: string;
  readonly status: number | null;
  /** Parameters, by their flat names, that the call must have. */
  readonly match: Readonly<Record<string, string>>;
  /** How many calls it is still for. */
  readonly left: number;
}

/** A failure of the metadata service. */
export interface MetadataFault {
  readonly id: number;
  readonly mode: 'error' | 'hang' | 'drop';
  /** Of mode `error`. */
  readonly status: number;
  /** `/latest/meta-data/spot`: what the path must begin with. */
  readonly path: string;
  /** Null: of every instance. */
  readonly instanceId: string | null;
  /** How many requests it is still for; null: all, until it is cleared. */
  readonly left: number | null;
}

/** What the identity documents of instances are signed with: PEM texts. */
export interface SigningKey {
  readonly privateKey: string;
  readonly certificate: string;
}
