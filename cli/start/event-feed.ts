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
  nameOf: (agentId: string) => Promise<string>,
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
        const event = readEvent(data);
        if (event) say(eventLine(event, event.agent_id ? await nameOf(event.agent_id) : ''));
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

/** Null for what isn't an event: a greeting, a keep-alive. */
export function readEvent(data: string): SystemEvent | null {
  try {
    const event = JSON.parse(data) as Partial<SystemEvent> | null;
    return typeof event?.event_type === 'string' ? (event as SystemEvent) : null;
  } catch {
    return null;
  }
}

/** `14:03:07  demo-agent-1   termination notice     …` */
export function eventLine(event: SystemEvent, agentName: string): string {
  const time = new Date(event.created_at);
  const clock = Number.isNaN(time.getTime()) ? '--:--:--' : time.toTimeString().slice(0, 8);
  const what = event.event_type.replaceAll('_', ' ').padEnd(20);
  return `${clock}  ${agentName.padEnd(12)}  ${what}  ${event.message || (event.instance_id ?? '')}`.trimEnd();
}
