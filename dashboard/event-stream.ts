/** The API's server-sent events, read with fetch: an EventSource can't send a token. */
import type { SystemEventView } from '../contracts/http';
import { type Api, ApiError } from './api';

const PAUSE_MS = 2_000;
/** What happened lately tells more than an empty list. */
const SHOWN_AT_FIRST = 50;
/** A proxy may hold a dead connection open; the API writes a line more often than this. */
const SILENCE_MS = 60_000;

export interface EventFollower {
  onEvent(event: SystemEventView): void;
  onConnection(state: 'live' | 'broken'): void;
  /** The token isn't taken any more; nothing follows. */
  onRefused(sentence: string): void;
}

/** Follows until stopped; a broken connection is made again and goes on after the last event seen. */
export function followEvents(api: Api, follower: EventFollower): () => void {
  const stopped = new AbortController();
  void follow(api, follower, stopped.signal);
  return () => stopped.abort();
}

async function follow(api: Api, follower: EventFollower, stopped: AbortSignal): Promise<void> {
  let last: string | null = null;
  while (!stopped.aborted) {
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), SILENCE_MS);
    try {
      const path: string = `events?${last === null ? `last=${SHOWN_AT_FIRST}` : `after=${last}`}`;
      const body = await api.stream(path, AbortSignal.any([stopped, silence.signal]));
      follower.onConnection('live');
      for await (const message of readMessages(body, () => {
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), SILENCE_MS);
      })) {
        const event = JSON.parse(message) as SystemEventView;
        last = event.id;
        follower.onEvent(event);
      }
    } catch (error) {
      if (stopped.aborted) break;
      if (error instanceof ApiError && (error.status === 401 || error.status === 403)) {
        follower.onRefused(error.message);
        break;
      }
    } finally {
      clearTimeout(timer);
    }
    if (stopped.aborted) break;
    follower.onConnection('broken');
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

/** The data of each message. Comments, which keep the connection alive, are dropped. */
async function* readMessages(body: ReadableStream<Uint8Array>, onBytes: () => void): AsyncGenerator<string> {
  const reader = body
    .pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)
    .getReader();
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      onBytes();
      const messages = (rest + value).split(/\r?\n\r?\n/);
      rest = messages.pop() ?? '';
      for (const message of messages) {
        const lines = message.split(/\r?\n/).filter((line) => line.startsWith('data:'));
        if (lines.length > 0) yield lines.map((line) => line.slice(5).replace(/^ /, '')).join('\n');
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined); // Broken already, which its reader has heard.
  }
}
