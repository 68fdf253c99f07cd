/** What the cloud's storage works with. */
import type { Books } from '../books/books';
import type { EventLog } from '../control/event-log';
import type { Random } from '../market/random';
import type { DiskFiles } from './disk-files';
import type { StorageDurations } from './durations';

export interface StorageParts {
  readonly books: Books;
  readonly events: EventLog;
  readonly files: DiskFiles;
  readonly random: Random;
  readonly durations: StorageDurations;
  /** Hears of an instance that has got a volume or lost one. */
  readonly onMounts: (instanceId: string) => void;
  /** Hears of files that can't be copied or removed. */
  readonly onError: (error: unknown) => void;
}
