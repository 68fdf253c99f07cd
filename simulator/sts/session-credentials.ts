/**
 * Temporary keys. A session token carries what it stands for and its own proof, so it holds over a restart of the
 * simulator, and a token of another cloud is none here. The same session given out twice has the same keys.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

export interface Session {
  readonly accessKeyId: string;
  readonly roleArn: string;
  readonly sessionName: string;
  /** Cloud second. */
  readonly expiresAt: number;
}

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

export class SessionCredentials {
  readonly #secret: string;

  constructor(secret: string) {
    this.#secret = secret;
  }

  /** @param distinction tells apart sessions that are alike in all else. */
  issue(session: Omit<Session, 'accessKeyId'>, distinction = ''): Credentials {
    const seed = JSON.stringify([session.roleArn, session.sessionName, session.expiresAt, distinction]);
    const keyBytes = this.#hmac(`key ${seed}`);
    const accessKeyId = `ASIA${Array.from(keyBytes.subarray(0, 16), (byte) => ALPHABET[byte % 32]).join('')}`;
    const claim = Buffer.from(
      JSON.stringify([accessKeyId, session.roleArn, session.sessionName, session.expiresAt]),
    ).toString('base64url');
    return {
      accessKeyId,
      secretAccessKey: this.#hmac(`secret ${seed}`).toString('base64').slice(0, 40),
      sessionToken: `${claim}.${this.#proof(claim)}`,
    };
  }

  /** What a token stands for, expired or not; null for one that isn't ours. */
  read(token: string): Session | null {
    const [claim = '', proof = ''] = token.split('.');
    const given = Buffer.from(proof);
    const right = Buffer.from(this.#proof(claim));
    if (given.length !== right.length || !timingSafeEqual(given, right)) return null;
    const [accessKeyId, roleArn, sessionName, expiresAt] = JSON.parse(
      Buffer.from(claim, 'base64url').toString(),
    ) as [string, string, string, number];
    return { accessKeyId, roleArn, sessionName, expiresAt };
  }

  #proof(claim: string): string {
    return this.#hmac(`session ${claim}`).toString('base64url');
  }

  #hmac(text: string): Buffer {
    return createHmac('sha256', this.#secret).update(text).digest();
  }
}
