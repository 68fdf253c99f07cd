/** The EC2 port of one account in one region: what the activities need of a cloud, in the domain's words. */
import type { Pool } from '../contracts/states';

/** What happens next after an error; see `aws-errors.ts` for which AWS codes mean what. */
export type CloudErrorKind =
  /** Ask again soon. */
  | 'retry'
  /** Asked too often: ask again later. */
  | 'throttled'
  /** This pool has none to give: try another. */
  | 'no_capacity'
  /** The thing is gone, or the effect took place already. */
  | 'already_done'
  /** A person has to change permissions, credentials or limits. */
  | 'not_permitted'
  /** The request itself is wrong and will be at every attempt. */
  | 'never';

export class CloudError extends Error {
  override name = 'CloudError';

  constructor(
    readonly kind: CloudErrorKind,
    /** AWS's own code, for example InsufficientInstanceCapacity. */
    readonly code: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export interface LaunchSpec {
  /** At most 64 characters; the same token with the same spec gives the same instance. */
  clientToken: string;
  imageId: string;
  pool: Pool;
  /** Plain text; the adapter encodes it. */
  userData: string;
  tags: Record<string, string>;
}

export type Ec2InstanceState =
  'pending' | 'running' | 'stopping' | 'stopped' | 'shutting-down' | 'terminated';

export interface ZonePrice {
  zone: string;
  /** Decimal dollars an hour, as EC2 wrote it. */
  priceUsdPerHour: string;
}

/** Every method throws `CloudError` and nothing else. */
export interface CloudPort {
  launch(spec: LaunchSpec): Promise<{ instanceId: string }>;
  /** Null when EC2 does not know the id, which soon after a launch does not mean that it isn't there. */
  instanceState(instanceId: string): Promise<{ state: Ec2InstanceState; reason: string } | null>;
  /** The instance with this tag, whatever its state, or null. */
  findByTag(key: string, value: string): Promise<{ instanceId: string } | null>;
  /** Accepted, or nothing left to do (`already_done` is thrown when EC2 does not know the id). */
  terminate(instanceId: string): Promise<void>;
  /** The newest spot price of a type in each zone that offers it. */
  spotPrices(instanceType: string): Promise<ZonePrice[]>;
  /** Names of the zones that are open. */
  zones(): Promise<string[]>;
  /** The newest image of ours that is available and carries these tags, or null. */
  newestImage(tags: Record<string, string>): Promise<string | null>;
}
