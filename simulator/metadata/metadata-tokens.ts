/**
 * IMDSv2 session tokens. They carry their own proof, so they hold over a restart of the simulator, as an instance's do
 * over everything but its own end. Their life is counted in real seconds; with a paused clock, as it is moved on.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Books } from '../books/books';

export const LONGEST_TTL_SECONDS = 21_600;

export class MetadataTokens {
  /** @param seconds real seconds that have passed. */
  constructor(
    private readonly secret: string,
    private readonly books: Books,
    private readonly seconds: () => number,
  ) {}

  issue(instanceId: string, ttlSeconds: number): string {
    const claim = `${Math.round((this.seconds() + ttlSeconds) * 1000)}.${randomBytes(9).toString('base64url')}`;
    return `${claim}.${this.#proof(instanceId, claim)}`;
  }

  /** Seconds that the token still has; null for one that isn't this instance's or has run out. */
  secondsLeft(instanceId: string, token: string): number | null {
    const cut = token.lastIndexOf('.');
    const claim = token.slice(0, Math.max(0, cut));
    const given = Buffer.from(token.slice(cut + 1));
    const right = Buffer.from(this.#proof(instanceId, claim));
    if (given.length !== right.length || !timingSafeEqual(given, right)) return null;
    const left = Number(claim.split('.')[0]) / 1000 - this.seconds();
    return left > 0 ? Math.ceil(left) : null;
  }

  /** No token of these instances holds any more. */
  invalidate(instanceIds: readonly string[]): void {
    this.books.commit(
      this.books.position,
      instanceIds.map((id) => ['tokenEpoch', id, this.#epoch(id) + 1]),
    );
  }

  #epoch(instanceId: string): number {
    return this.books.get('tokenEpoch', instanceId) ?? 0;
  }

  #proof(instanceId: string, claim: string): string {
    return createHmac('sha256', this.secret)
      .update(`${instanceId}/${this.#epoch(instanceId)}/${claim}`)
      .digest('base64url');
  }
}
