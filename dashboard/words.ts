/** How facts are put into words. */

/** What a status means to whoever looks at it, and the colour it is shown in. */
export interface StatusWords {
  word: string;
  tone: 'good' | 'warning' | 'bad' | 'quiet';
  meaning: string;
}

const STATUSES: Record<string, StatusWords> = {
  online: { word: 'Online', tone: 'good', meaning: 'Its heartbeats arrive.' },
  silent: { word: 'Silent', tone: 'warning', meaning: 'Its heartbeats have stopped.' },
  orphaned: { word: 'Orphaned', tone: 'bad', meaning: 'Nothing was heard of it for a long time.' },
  offline: { word: 'Offline', tone: 'quiet', meaning: 'It was shut down cleanly.' },
  hibernating: { word: 'Hibernating', tone: 'warning', meaning: 'It is being put to rest.' },
  hibernated: { word: 'Hibernated', tone: 'quiet', meaning: 'It is at rest and can be resumed.' },
  deleted: { word: 'Deleted', tone: 'quiet', meaning: 'It was deleted.' },
};

export function statusWords(status: string): StatusWords {
  return STATUSES[status] ?? { word: status, tone: 'quiet', meaning: '' };
}

/** `12 s`, `3 min`, `5 h`, `2 days`. */
export function duration(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 2 * 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

/** `1:40`, or that it is due. */
export function countdown(seconds: number): string {
  const left = Math.max(0, Math.round(seconds));
  if (left === 0) return 'a moment';
  return `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}`;
}

const METHODS: Record<string, string> = {
  hibernate: 'with its memory saved',
  stop: 'by a stop',
  image: 'as an image',
  snapshots: 'as snapshots',
};

/** What was done to put it to rest, or is being done. */
export function hibernationWords({ phase, method }: { phase: string; method: string | null }): string {
  const way = method === null ? '' : ` ${METHODS[method] ?? `by ${method}`}`;
  switch (phase) {
    case 'hibernating':
      return `being hibernated${way}`;
    case 'resuming':
      return 'being resumed';
    default:
      return `hibernated${way}`;
  }
}

/** `14:03`, with the date where it isn't today's. */
export function clock(instant: string, withSeconds = false): string {
  const time = new Date(instant);
  const today = time.toDateString() === new Date().toDateString();
  return time.toLocaleString(undefined, {
    ...(today ? {} : { month: 'short', day: 'numeric' }),
    hour: '2-digit',
    minute: '2-digit',
    ...(withSeconds && { second: '2-digit' }),
    hour12: false,
  });
}

export function modeWord(mode: string | null): string {
  if (mode === 'ondemand') return 'on-demand';
  return mode ?? 'unknown';
}

/** An event's type as words: `switch_started` becomes `switch started`. */
export function eventWords(eventType: string): string {
  return eventType.replaceAll('_', ' ');
}
