/**
 * The port to one AWS account in one region: what the activities need of a cloud, in the domain's words.
 *
 * - **account and region**: a port sees nothing of another; an id of theirs is unknown here.
 * - **pool**: instance type × zone × purchase option (`contracts/states`).
 * - **client token**: what makes a repeated launch the same launch (`client-token.ts`).
 * - **ambiguous**: a failed call that may have taken effect (`cloud-error.ts`).
 * - **unknown**: EC2 shows no such thing. Seconds after it was made, or with other credentials, that proves nothing.
 *
 * Every method throws `CloudError` and nothing else. What EC2 refuses in the normal course (a protected instance, a
 * snapshot in use) is a result, not an error. Nothing here waits for a state: who needs one asks again.
 */
import type { IdentityPort } from './identity-port';
import type { ImagePort } from './image-port';
import type { InstancePort } from './instance-port';
import type { MarketPort } from './market-port';
import type { SnapshotPort } from './snapshot-port';
import type { SpotRequestPort } from './spot-request-port';
import type { VolumePort } from './volume-port';

export interface CloudPort {
  readonly instances: InstancePort;
  readonly images: ImagePort;
  readonly snapshots: SnapshotPort;
  readonly volumes: VolumePort;
  readonly spotRequests: SpotRequestPort;
  readonly market: MarketPort;
  readonly identity: IdentityPort;
}

export type Tags = Readonly<Record<string, string>>;

/** What was found of the ids asked for, and those of them that EC2 does not know or cannot read. */
export interface Described<T> {
  found: Map<string, T>;
  unknown: string[];
}
