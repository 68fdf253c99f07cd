/** EBS volumes, which attach to instances of their own zone only. */
import type { Described } from './cloud-port';

export type VolumeState = 'creating' | 'available' | 'in-use' | 'deleting' | 'deleted' | 'error';

export interface VolumeAttachment {
  instanceId: string;
  device: string;
  state: 'attaching' | 'attached' | 'detaching' | 'detached' | 'busy';
  deleteOnTermination: boolean;
}

export interface VolumeDescription {
  volumeId: string;
  zone: string;
  state: VolumeState;
  sizeGib: number;
  /** Empty while it is available. */
  attachments: VolumeAttachment[];
  tags: Record<string, string>;
}

export type AttachOutcome =
  /** On its way, or done before. */
  | { outcome: 'requested' }
  /** It hangs on another instance. */
  | { outcome: 'in_use'; message: string }
  | { outcome: 'other_zone'; message: string }
  /** The volume or the instance is in no state for it. */
  | { outcome: 'wrong_state'; message: string };

export type DetachOutcome =
  /** On its way. */
  | { outcome: 'requested' }
  /** Nothing to do. */
  | { outcome: 'not_attached' }
  | { outcome: 'unknown'; message: string }
  /** Such as the root volume of a running instance. */
  | { outcome: 'wrong_state'; message: string };

export interface VolumePort {
  describe(volumeIds: readonly string[]): Promise<Described<VolumeDescription>>;
  /** Those attached, or attaching, to an instance. */
  ofInstance(instanceId: string): Promise<VolumeDescription[]>;
  /** AttachVolume. A repeat on the same instance is `requested` again. */
  attach(request: { volumeId: string; instanceId: string; device: string }): Promise<AttachOutcome>;
  /** DetachVolume from this instance. `force` risks what was not written yet. */
  detach(request: { volumeId: string; instanceId: string; force?: boolean }): Promise<DetachOutcome>;
}
