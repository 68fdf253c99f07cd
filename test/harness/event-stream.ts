/** The API's system events as they come, over its restarts: what tests await instead of sleeping. */
import type { SystemEventView } from '../../contracts/http';

type Matches = (event: SystemEventView) => boolean;

interface Waiter {
  type: string;
  matches: Matches;
  resolve: (event: SystemEventView) => void;
}

const TIMEOUT_MS = 90_000;

export class EventStream {
  /** All events so far, oldest first. */
  readonly seen: SystemEventView[] = [];
  private readonly taken = new Set<string>();
  private readonly waiters = new Set<Waiter>();
  private readonly closing = new AbortController();

  constructor(
    private readonly apiUrl: string,
    private readonly token: string,
  ) {
    void this.follow();
  }

  close(): void {
    this.closing.abort();
  }

  /** The first event of a type that matches and that no earlier call took, past or to come. */
  async next(type: string, matches: Matches): Promise<SystemEventView> {
    const past = this.seen.find(
      (event) => event.event_type === type && !this.taken.has(event.id) && matches(event),
    );
    const event = past ?? (await this.wait(type, matches));
    this.taken.add(event.id);
    return event;
  }

  private wait(type: string, matches: Matches): Promise<SystemEventView> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        type,
        matches,
        resolve: (event) => {
          clearTimeout(timer);
          this.waiters.delete(waiter);
          resolve(event);
        },
      };
      const timer = setTimeout(() => {
        this.waiters.delete(waiter);
        const story = this.seen.map((event) => `${event.event_type}: ${event.message}`).join('\n  ');
        reject(new Error(`No ${type} came within ${TIMEOUT_MS / 1000} s. What came:\n  ${story}`));
      }, TIMEOUT_MS);
      this.waiters.add(waiter);
    });
  }

  private take(event: SystemEventView): void {
    this.seen.push(event);
    for (const waiter of this.waiters) {
      if (waiter.type !== event.event_type || this.taken.has(event.id) || !waiter.matches(event)) continue;
      waiter.resolve(event);
      return;
    }
  }

  /** A stream that breaks, as when the API is killed, is taken up where it ended. */
  private async follow(): Promise<void> {
    while (!this.closing.signal.aborted) {
      try {
        await this.read();
      } catch {
        // Broken or refused: the API is down, and a test that needs it will say so by its time-out.
      }
      if (this.closing.signal.aborted) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  private async read(): Promise<void> {
    const response = await fetch(`${this.apiUrl}/api/events?after=${this.seen.at(-1)?.id ?? 0}`, {
      headers: { authorization: `Bearer ${this.token}` },
      signal: this.closing.signal,
    });
    if (!response.ok || !response.body) throw new Error(`The event stream answered ${response.status}.`);
    let text = '';
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const messages = text.split('\n\n');
      text = messages.pop() ?? '';
      for (const message of messages) {
        const data = message
          .split('\n')
          .filter((line) => line.startsWith('data:'))
          .map((line) => line.slice(5))
          .join('\n');
        if (data) this.take(JSON.parse(data) as SystemEventView);
      }
    }
  }
}
