/** What the event log says of an instance's changes. */
import type { Instance } from '../books/entities';
import type { CloudClock } from '../clock';
import type { Entry } from '../control/event-log';

export type InstanceEventKind =
  | 'instance-launched'
  | 'instance-running'
  | 'instance-started'
  | 'instance-stopping'
  | 'instance-stopped'
  | 'instance-ended'
  | 'instance-terminated'
  | 'interruption-notice'
  | 'rebalance-recommended';

/** The event of having come into a state. */
export const EVENT_OF_STATE = {
  pending: 'instance-launched',
  running: 'instance-running',
  stopping: 'instance-stopping',
  stopped: 'instance-stopped',
  'shutting-down': 'instance-ended',
  terminated: 'instance-terminated',
} as const satisfies Record<Instance['state'], InstanceEventKind>;

export function instanceEvent(kind: InstanceEventKind, instance: Instance, clock: CloudClock): Entry {
  return {
    kind,
    instance_id: instance.id,
    zone: instance.zone,
    instance_type: instance.instanceType,
    option: instance.option,
    image_id: instance.imageId,
    tags: instance.tags,
    ...(instance.endReason && { reason: instance.endReason.code }),
    ...(instance.notice && { deadline: clock.wallAt(instance.notice.deadline).toISOString() }),
  };
}
