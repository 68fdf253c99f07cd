/** What the cloud is put together of. */
import type { Books } from './books/books';
import type { CloudClock } from './clock';
import type { EventLog } from './control/event-log';
import type { InstanceFiles } from './instances/instance-files';
import type { Market } from './market/market';
import type { Random } from './market/random';
import type { StorageDurations } from './storage/durations';

/** From and to, in cloud seconds. */
export type Range = readonly [min: number, max: number];

export interface Durations {
  readonly boot: Range;
  readonly shutdown: Range;
  /** How late a launch, or a change, is seen. */
  readonly consistency: Range;
}

export interface CloudParts {
  readonly accountId: string;
  readonly books: Books;
  readonly clock: CloudClock;
  readonly market: Market;
  readonly events: EventLog;
  readonly files: InstanceFiles;
  readonly durations: Durations & StorageDurations;
  readonly random: Random;
  readonly onError: (error: unknown) => void;
}
