/** What the cloud's books hold, as plain JSON. Every moment is a cloud second (clock.ts). Entities are replaced, not changed. */
import type { Anchor } from '../clock';
import type { Fleet, LaunchTemplate } from './launch-entities';
import type { BucketSize, Delay, Fault, MetadataFault, PermissionRule, Role, SigningKey } from './settings';

export type PurchaseOption = 'spot' | 'ondemand';
export type InstanceState = 'pending' | 'running' | 'stopping' | 'stopped' | 'shutting-down' | 'terminated';
export type InterruptionBehavior = 'terminate' | 'stop' | 'hibernate';
export type Tags = Readonly<Record<string, string>>;

export interface Notice {
  readonly action: InterruptionBehavior;
  readonly cause: 'capacity' | 'price';
  readonly givenAt: number;
  /** When EC2 takes the instance; for `hibernate` at once. */
  readonly deadline: number;
}

/** Why an instance stopped or ended, as EC2 words it. */
export interface EndReason {
  readonly code: string;
  readonly message: string;
}

export interface Instance {
  readonly id: string;
  readonly reservationId: string;
  readonly region: string;
  readonly zone: string;
  readonly instanceType: string;
  readonly imageId: string;
  readonly option: PurchaseOption;
  readonly spotRequestId: string | null;
  readonly launchIndex: number;
  readonly clientToken: string | null;
  readonly keyName: string | null;
  readonly tags: Tags;
  /** Base64, as it came. */
  readonly userData: string | null;
  readonly privateIp: string;
  readonly publicIp: string;
  readonly launchedAt: number;
  readonly state: InstanceState;
  /** When it has booted. */
  readonly runsAt: number;
  /** When it was switched on; coming back from hibernation isn't that. */
  readonly bootedAt: number;
  readonly notice: Notice | null;
  readonly rebalanceAt: number | null;
  /** When Describe calls begin to show it: EC2 is eventually consistent. */
  readonly visibleAt: number;
  readonly disableApiTermination: boolean;
  readonly disableApiStop: boolean;
  /** HibernationOptions.Configured of the launch. */
  readonly hibernationConfigured: boolean;
  /** What a shutdown from inside does. */
  readonly shutdownBehavior: 'stop' | 'terminate';
  /** Of spot instances. */
  readonly interruptionBehavior: InterruptionBehavior;
  /** InstanceMetadataTags=enabled: tags are shown by the metadata service. */
  readonly metadataTags: boolean;
  /** Name of the instance profile, whose role has the same name. */
  readonly instanceProfile: string | null;
  readonly devices: readonly Device[];
  /** How it was stopped, or is being stopped; null while it runs. */
  readonly stoppedBy: 'stop' | 'hibernate' | null;
  /** When it began to stop. */
  readonly stoppedAt: number | null;
  /** Wall moment (cloud second) of the deadline of the last notice that it survived, which metadata goes on showing. */
  readonly lastTerminationTime: number | null;
  readonly endReason: EndReason | null;
  readonly endedAt: number | null;
  /** When `stopping` becomes `stopped`, or `shutting-down` becomes `terminated`. */
  readonly terminatesAt: number | null;
}

/** A volume in an instance's block device mapping. */
export interface Device {
  readonly name: string;
  readonly volumeId: string;
  readonly deleteOnTermination: boolean;
  readonly attachedAt: number;
}

/** What a volume is beyond its content. */
export interface VolumeKind {
  readonly sizeGib: number;
  /** `gp3` and its kin. */
  readonly type: string;
  /** Null where the type has none to choose. */
  readonly iops: number | null;
  /** MiB a second; of gp3 alone. */
  readonly throughput: number | null;
  readonly encrypted: boolean;
}

/** A disk of an image: what a launch makes a volume of. */
export interface ImageDisk extends VolumeKind {
  readonly device: string;
  /** Null for an empty disk. */
  readonly snapshotId: string | null;
  readonly deleteOnTermination: boolean;
}

export interface Image {
  readonly id: string;
  readonly region: string;
  readonly name: string;
  readonly description: string | null;
  /** The instance whose files it holds. */
  readonly sourceInstanceId: string;
  readonly tags: Tags;
  readonly createdAt: number;
  /** When its instance's disks have been read: an instance that ends before fails the image. */
  readonly takenAt: number;
  /** When it stops being pending. */
  readonly availableAt: number;
  /** Why it is `failed` once it isn't pending any more. */
  readonly failure: EndReason | null;
  /** A disabled image launches nothing and is shown only to who asks for disabled ones. */
  readonly disabled: boolean;
  /** A deregistered image is remembered for a while, as EC2 does, and good for nothing. */
  readonly deregisteredAt: number | null;
  readonly disks: readonly ImageDisk[];
}

export interface Volume extends VolumeKind {
  readonly id: string;
  readonly region: string;
  readonly zone: string;
  readonly snapshotId: string | null;
  readonly tags: Tags;
  readonly createdAt: number;
  /** When `creating` becomes `available`. */
  readonly availableAt: number;
  /** Null when no instance has it. */
  readonly attachment: VolumeAttachment | null;
  /** When `deleting` becomes forgotten; null when it isn't being deleted. */
  readonly goneAt: number | null;
}

export interface VolumeAttachment {
  readonly instanceId: string;
  readonly device: string;
  readonly deleteOnTermination: boolean;
  readonly attachedAt: number;
  /** When `attaching` becomes `attached`. */
  readonly settledAt: number;
  /** When `detaching` has ended; null when it isn't being detached. */
  readonly detachedAt: number | null;
}

export interface Snapshot {
  readonly id: string;
  readonly region: string;
  readonly volumeId: string;
  readonly sizeGib: number;
  readonly encrypted: boolean;
  readonly description: string;
  readonly tags: Tags;
  readonly startedAt: number;
  /** When `pending` becomes `completed`. */
  readonly completedAt: number;
  /** Why it is in state `error`; null for a good one. */
  readonly failure: string | null;
}

export type SpotRequestState = 'open' | 'active' | 'closed' | 'cancelled' | 'disabled' | 'failed';

export interface SpotRequest {
  readonly id: string;
  readonly region: string;
  readonly type: 'one-time' | 'persistent';
  readonly interruptionBehavior: InterruptionBehavior;
  /** Text as it was given, in US dollars an hour; null for the on-demand price. */
  readonly maxPrice: string | null;
  readonly createdAt: number;
  /** Null: until cancelled. */
  readonly validUntil: number | null;
  readonly state: SpotRequestState;
  readonly status: { readonly code: string; readonly message: string; readonly at: number };
  readonly instanceId: string | null;
  readonly tags: Tags;
  /** What a persistent request launches again: an instance's record but for what is new with each, and its disks. */
  readonly template: Instance;
  readonly disks: readonly ImageDisk[];
  /** Of the disks' volumes. */
  readonly volumeTags: Tags;
}

/** The most of something that there may be: of an account's quota, a pool's room, a subnet's addresses. */
export interface Limit {
  readonly most: number;
}

/** What one use of a client token did: the ids it made (instances, volumes, or a fleet and its instances). */
export interface TokenUse {
  readonly fingerprint: string;
  readonly instanceIds: readonly string[];
  /** When the last of its instances was forgotten. */
  readonly goneAt?: number;
}

/** A pool that the control API holds in one state, whatever the market says. */
export interface PoolOverride {
  readonly available: boolean;
}

/** What the simulator knows of an instance's machine beyond EC2's view of it. */
export interface Machine {
  readonly metadataPort: number | null;
  /** The agent ended by itself without an error: it isn't started again. */
  readonly agentFinished: boolean;
  /** The instance's `bootedAt` that the agent belongs to; null before there was one. */
  readonly bootedAt: number | null;
}

export const FORMAT = 3;

/** What a state folder is bound to, and what the last run left. */
export interface Identity {
  /** Of the entities' shapes: another one can't be read. */
  readonly format: number;
  readonly market: string;
  readonly speed: number;
  readonly accountId: string;
  /** The region that was most there when the state began: the one to begin with. */
  readonly region: string;
  readonly metadataSecret: string;
}

export interface Ports {
  readonly cloud: number;
  readonly metadata: number;
  readonly control: number;
}

export interface Shelves {
  instance: Instance;
  image: Image;
  volume: Volume;
  snapshot: Snapshot;
  spotRequest: SpotRequest;
  launchTemplate: LaunchTemplate;
  fleet: Fleet;
  limit: Limit;
  token: TokenUse;
  pool: PoolOverride;
  machine: Machine;
  identity: Identity;
  ports: Ports;
  anchors: readonly Anchor[];
  /** By ARN. */
  role: Role;
  /** By principal and action. */
  permission: PermissionRule;
  /** By kind and action: `request ec2:RunInstances`. */
  bucket: BucketSize;
  /** `documented`: whether EC2's documented limits hold. */
  throttling: boolean;
  /** By service and action. */
  delay: Delay;
  fault: Fault;
  metadataFault: MetadataFault;
  /** How often an instance's session tokens were made invalid. */
  tokenEpoch: number;
  signingKey: SigningKey;
}
export type Shelf = keyof Shelves;
