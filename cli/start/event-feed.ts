/** What happens to the fleet, as the API tells it (server-sent events), a readable line each. */
import { setTimeout as delay } from 'node:timers/promises';

export interface SystemEvent {
  id: string | number;
  event_type: string;
  created_at: string;
  agent_id: string | null;
  instance_id: string | null;
  message: string | null;
}

const RECONNECT_MS = 1000;

/** Keeps lines back until the time has come to print them. */
export class HeldLines {
  #held: string[] | null = [];
  readonly #print: (line: string) => void;

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  readonly say = (line: string): void => {
    if (this.#held) this.#held.push(line);
    else this.#print(line);
  };

  release(): void {
    for (const line of this.#held ?? []) this.#print(line);
    this.#held = null;
  }
}

/** Follows until aborted; a broken connection is made again and goes on after the last event seen. */
export async function followEvents(
  apiUrl: string,
  token: string,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  let lastId: string | undefined;
  while (!signal.aborted) {
    try {
      const response = await fetch(`${apiUrl}/api/events`, {
        headers: {
          accept: 'text/event-stream',
          authorization: `Bearer ${token}`,
          ...(lastId === undefined ? {} : { 'last-event-id': lastId }),
        },
        signal,
      });
      if (!response.ok || !response.body) throw new Error(`HTTP status ${response.status}`);
      for await (const { id, data } of readEventStream(response.body)) {
        lastId = id ?? lastId;
        const line = eventLine(data);
        if (line) say(line);
      }
    } catch {
      // The API is being restarted, which its supervisor says, or all is ending.
    }
    await delay(RECONNECT_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** Cuts a stream of bytes into events: fields end with a line, an event with an empty line. */
export async function* readEventStream(
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<{ id: string | undefined; data: string }> {
  const decoder = new TextDecoder();
  let rest = '';
  let id: string | undefined;
  let data: string[] = [];
  for await (const bytes of body) {
    rest += decoder.decode(bytes, { stream: true });
    const lines = rest.split(/\r\n|\n/);
    rest = lines.pop()!;
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) yield { id, data: data.join('\n') };
        data = [];
      } else if (line.startsWith('data:')) data.push(line.slice(5).replace(/^ /, ''));
      else if (line.startsWith('id:')) id = line.slice(3).trim();
    }
  }
}

/** `14:03:07  interruption   …`; null for what isn't an event. */
export function eventLine(data: string): string | null {
  let event: Partial<SystemEvent>;
  try {
    event = JSON.parse(data) as Partial<SystemEvent>;
  } catch {
    return null; // A greeting or a keep-alive.
  }
  if (typeof event.event_type !== 'string') return null;
  const time = new Date(event.created_at ?? Date.now());
  const clock = Number.isNaN(time.getTime()) ? '--:--:--' : time.toTimeString().slice(0, 8);
  const what = event.event_type.replaceAll('_', ' ').padEnd(22);
  const about = [event.agent_id, event.instance_id].filter(Boolean).join(' on ');
  return `${clock}  ${what}  ${event.message || about}`.trimEnd();
}
