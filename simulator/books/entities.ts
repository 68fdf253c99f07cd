/** What the cloud's books hold, as plain JSON. Every moment is a cloud second (clock.ts). Entities are replaced, not changed. */
import type { Anchor } from '../clock';

export type PurchaseOption = 'spot' | 'ondemand';
export type InstanceState = 'pending' | 'running' | 'shutting-down' | 'terminated';
export type Tags = Readonly<Record<string, string>>;

export interface Notice {
  readonly action: 'terminate';
  readonly givenAt: number;
  /** When EC2 takes the instance. */
  readonly deadline: number;
}

/** Why an instance ended, as EC2 words it. */
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
  readonly notice: Notice | null;
  readonly rebalanceAt: number | null;
  readonly endReason: EndReason | null;
  readonly endedAt: number | null;
  /** When `shutting-down` becomes `terminated`. */
  readonly terminatesAt: number | null;
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
  readonly availableAt: number;
}

/** What one use of a client token did. */
export interface TokenUse {
  readonly fingerprint: string;
  readonly instanceIds: readonly string[];
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
}

/** What a state folder is bound to, and what the last run left. */
export interface Identity {
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
  token: TokenUse;
  pool: PoolOverride;
  machine: Machine;
  identity: Identity;
  ports: Ports;
  anchors: readonly Anchor[];
}
export type Shelf = keyof Shelves;
