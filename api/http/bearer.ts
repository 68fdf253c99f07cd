/** Who asks: `Authorization: Bearer` and what stands behind it. */
import type { IncomingMessage } from 'node:http';
import { type Db, inScope } from '../../db/connect';
import { findLaunch, type LaunchRecord } from '../../db/identities';
import { findTokenHolder, type TokenHolder } from '../../db/tokens';
import { Problem } from './problem';

export type Caller = TokenHolder | { kind: 'launch'; clientId: string; launch: LaunchRecord };

/** How long a token that was just found good is taken without asking again; a revocation may take this long to show. */
const CACHE_MS = 3_000;
const CACHE_ENTRIES = 100_000;

/** Tokens of ours and launch ids; nothing else is worth a question to the database. */
const CREDENTIAL = /^[\w-]{8,128}$/;

export class Authenticator {
  readonly #db: Db;
  readonly #cache = new Map<string, { holder: TokenHolder; untilMs: number }>();

  constructor(db: Db) {
    this.#db = db;
  }

  /** @throws Problem 401. */
  async caller(request: IncomingMessage): Promise<Caller> {
    const credential = readBearer(request);
    const holder = await findTokenHolder(this.#db, credential);
    if (holder) return holder;
    const launch = await inScope(this.#db, { launchId: credential }, (transaction) =>
      findLaunch(transaction, credential),
    );
    if (launch) return { kind: 'launch', clientId: launch.clientId, launch };
    throw unauthorized('The token is unknown or was revoked.', 'error="invalid_token"');
  }

  /** The same for the heartbeat intake, where the same tokens come again and again. Launch ids aren't taken. */
  async cachedHolder(request: IncomingMessage): Promise<TokenHolder> {
    const credential = readBearer(request);
    const nowMs = Date.now();
    const cached = this.#cache.get(credential);
    if (cached && cached.untilMs > nowMs) return cached.holder;
    const holder = await findTokenHolder(this.#db, credential);
    this.#cache.delete(credential);
    if (!holder) throw unauthorized('The token is unknown or was revoked.', 'error="invalid_token"');
    // Entries are in the order of their ends, so the first is the oldest.
    if (this.#cache.size >= CACHE_ENTRIES) this.#cache.delete(this.#cache.keys().next().value ?? '');
    this.#cache.set(credential, { holder, untilMs: nowMs + CACHE_MS });
    return holder;
  }
}

function readBearer(request: IncomingMessage): string {
  const header = request.headers.authorization;
  if (header === undefined)
    throw unauthorized('The request carries no token: send Authorization: Bearer <token>.');
  const [, credential] = /^Bearer +(\S+)$/i.exec(header) ?? [];
  if (credential === undefined || !CREDENTIAL.test(credential)) {
    throw unauthorized(
      'The Authorization header is not of the form Bearer <token>.',
      'error="invalid_token"',
    );
  }
  return credential;
}

function unauthorized(detail: string, parameters = ''): Problem {
  const challenge = parameters ? `Bearer realm="spotkeeper", ${parameters}` : 'Bearer realm="spotkeeper"';
  return new Problem(401, 'unauthorized', detail, { headers: { 'WWW-Authenticate': challenge } });
}
