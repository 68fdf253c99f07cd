/**
 * IMDSv2 session tokens. They carry their own proof, so they hold over a restart of the simulator, as an instance's do
 * over everything but its own end.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

export const LONGEST_TTL_SECONDS = 21_600;

export class MetadataTokens {
  readonly #secret: string;

  constructor(secret: string) {
    this.#secret = secret;
  }

  /** @param now milliseconds of real time, in which a token's life is counted. */
  issue(instanceId: string, ttlSeconds: number, now: number): string {
    const claim = `${now + ttlSeconds * 1000}.${randomBytes(9).toString('base64url')}`;
    return `${claim}.${this.#proof(instanceId, claim)}`;
  }

  /** Seconds that the token still has; null for one that isn't this instance's or has run out. */
  secondsLeft(instanceId: string, token: string, now: number): number | null {
    const cut = token.lastIndexOf('.');
    const claim = token.slice(0, Math.max(0, cut));
    const given = Buffer.from(token.slice(cut + 1));
    const right = Buffer.from(this.#proof(instanceId, claim));
    if (given.length !== right.length || !timingSafeEqual(given, right)) return null;
    const left = Number(claim.split('.')[0]) - now;
    return left > 0 ? Math.ceil(left / 1000) : null;
  }

  #proof(instanceId: string, claim: string): string {
    return createHmac('sha256', this.#secret).update(`${instanceId}/${claim}`).digest('base64url');
  }
}
