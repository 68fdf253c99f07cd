/** Instances: launched, looked at, stopped, started, ended. */
import type { Pool, PurchaseOption } from '../contracts/states';
import type { CloudError } from './cloud-error';
import type { Described, Tags } from './cloud-port';

export type Ec2InstanceState =
  'pending' | 'running' | 'stopping' | 'stopped' | 'shutting-down' | 'terminated';

/** What one launch is to be, wherever it finds room. */
export interface LaunchPlan {
  /** At most 64 characters; the same token with the same plan gives the same instance. */
  clientToken: string;
  imageId: string;
  /** Plain text; the adapter encodes it. */
  userData: string;
  /** Set by EC2 in the same step as the launch, so no instance of ours is ever without them. */
  tags: Tags;
  /** Refuse TerminateInstances until a person lifts it. Default false. */
  protectFromTermination?: boolean;
  /**
   * Let the instance hibernate when it is stopped (encrypted root volume, type and image that can). Default false: on
   * spot, EC2 would then hibernate it at an interruption, without the two minutes.
   */
  hibernation?: boolean;
}

export interface LaunchSpec extends LaunchPlan {
  pool: Pool;
}

export interface LaunchedInstance {
  instanceId: string;
  /** Null for on-demand. */
  spotRequestId: string | null;
}

export interface FleetSpec extends LaunchPlan {
  /** Tried by EC2 in one go, the earlier the better. All of one purchase option, at most 300. */
  pools: readonly Pool[];
}

/** EC2 answers with instances and errors together: a pool that had nothing says so beside the one that had. */
export interface FleetLaunch {
  /** At most one. */
  instances: { instanceId: string; pool: Pool }[];
  /** By pool as far as EC2 names it. */
  errors: { pool: Pool | null; error: CloudError }[];
}

export interface InstanceDescription {
  instanceId: string;
  state: Ec2InstanceState;
  /** AWS's code, such as Server.SpotInstanceTermination; empty while nothing happened. */
  stateReasonCode: string;
  stateReason: string;
  imageId: string | null;
  instanceType: string;
  zone: string;
  option: PurchaseOption;
  spotRequestId: string | null;
  /** ISO 8601. */
  launchedAt: string | null;
  /** The launch's flag: without it StopInstances cannot hibernate. */
  hibernationConfigured: boolean;
  privateIp: string | null;
  publicIp: string | null;
  rootDevice: string | null;
  volumes: { volumeId: string; device: string; deleteOnTermination: boolean }[];
  /** Empty when none was given. Instances of a fleet carry one of EC2's. */
  clientToken: string;
  tags: Record<string, string>;
}

export type TerminationOutcome =
  /** Accepted, now or before: it ends, or has ended. */
  | { outcome: 'requested'; state: Ec2InstanceState }
  | { outcome: 'unknown'; message: string }
  /** Its termination protection is on. */
  | { outcome: 'protected'; message: string }
  | { outcome: 'failed'; error: CloudError };

export type PowerOutcome =
  | { outcome: 'requested'; state: Ec2InstanceState }
  | { outcome: 'unknown'; message: string }
  /** Its stop protection is on. */
  | { outcome: 'protected'; message: string }
  /** Never for this instance: a one-time spot instance can't stop, one without the flag or type can't hibernate. */
  | { outcome: 'impossible'; code: string; message: string }
  /** Not in its present state, such as pending or terminated. */
  | { outcome: 'wrong_state'; message: string };

/** Source: EC2 API reference, the actions named at each method. */
export interface InstancePort {
  /**
   * RunInstances, once: one instance in one pool, spot one-time and ending at an interruption. An ambiguous error is
   * the caller's to resolve, with the same token (`certain-launch.ts`).
   */
  launch(spec: LaunchSpec): Promise<LaunchedInstance>;
  /**
   * CreateFleet `instant`, once: one instance in whichever pool has room. Needs a launch template for its time, named
   * after the token and deleted once the answer is certain.
   */
  launchAcross(spec: FleetSpec): Promise<FleetLaunch>;
  /** DescribeInstances by id, in batches. One id that EC2 does not know hides none of the others. */
  describe(instanceIds: readonly string[]): Promise<Described<InstanceDescription>>;
  /** Null when EC2 does not know the id. */
  describeOne(instanceId: string): Promise<InstanceDescription | null>;
  /** All that carry these tags, whatever their state; the living first, then the newest. */
  findByTags(tags: Tags): Promise<InstanceDescription[]>;
  /** TerminateInstances in batches; a result for every id, whatever becomes of the others. */
  terminate(instanceIds: readonly string[]): Promise<Map<string, TerminationOutcome>>;
  /** StopInstances. `force` skips the shutdown of the file system; it excludes `hibernate`. */
  stop(instanceId: string, how?: { hibernate?: boolean; force?: boolean }): Promise<PowerOutcome>;
  /** StartInstances. @throws CloudError `no_capacity` when the pool has no room for it. */
  start(instanceId: string): Promise<PowerOutcome>;
  /** CreateTags on any of our resources; existing tags of the same key are overwritten. */
  tag(resourceIds: readonly string[], tags: Tags): Promise<void>;
}
