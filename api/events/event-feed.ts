/** One listener on the database for all who follow events, each woken by what is theirs. */
import type { AnnouncedEvent } from '../../db/event-listener';

export class Follower {
  readonly #clientId: string | null;
  readonly #announced = new Set<string>();
  #stale = true;
  #wake: () => void = () => undefined;

  /** @param clientId null follows all clients. */
  constructor(clientId: string | null) {
    this.#clientId = clientId;
  }

  announce({ id, clientId }: AnnouncedEvent): void {
    if (this.#clientId !== null && this.#clientId !== clientId) return;
    this.#announced.add(id);
    this.#wake();
  }

  /** Something may have been missed: look again. */
  lookAgain(): void {
    this.#stale = true;
    this.#wake();
  }

  /** Resolves when there is a reason to read, with the ids announced since the last time. */
  async next(timeoutMs: number): Promise<{ timedOut: boolean; announced: string[] }> {
    if (this.#announced.size === 0 && !this.#stale) {
      const timedOut = await new Promise<boolean>((resolve) => {
        const timer = setTimeout(() => resolve(true), timeoutMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve(false);
        };
      });
      this.#wake = () => undefined;
      if (timedOut) return { timedOut: true, announced: [] };
    }
    const announced = [...this.#announced];
    this.#announced.clear();
    this.#stale = false;
    return { timedOut: false, announced };
  }
}

export class EventFeed {
  readonly #followers = new Set<Follower>();
  #closed = false;

  get closed(): boolean {
    return this.#closed;
  }

  follow(clientId: string | null): Follower {
    const follower = new Follower(clientId);
    this.#followers.add(follower);
    return follower;
  }

  leave(follower: Follower): void {
    this.#followers.delete(follower);
    follower.lookAgain();
  }

  announce(event: AnnouncedEvent): void {
    for (const follower of this.#followers) follower.announce(event);
  }

  lookAgain(): void {
    for (const follower of this.#followers) follower.lookAgain();
  }

  /** Ends all streams at their next step. */
  close(): void {
    this.#closed = true;
    this.lookAgain();
  }
}
