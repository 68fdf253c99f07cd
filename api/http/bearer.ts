/** Who asks: `Authorization: Bearer` and what stands behind it. */
import type { IncomingMessage } from 'node:http';
import { type Db, inScope } from '../../db/connect';
import { findLaunch, type LaunchRecord } from '../../db/identities';
import { findTokenHolder, findTokenHolders, type TokenHolder, tokenHash } from '../../db/tokens';
import { GroupCommit } from '../intake/group-commit';
import { Problem } from './problem';
import { TokenCache } from './token-cache';

export type Caller = TokenHolder | { kind: 'launch'; clientId: string; launch: LaunchRecord };

/** Those asked of the database together, and those that may wait for it: after a restart every agent's token does. */
const LOOK_UPS = { maxBatch: 500, maxWaiting: 50_000, maxOfKey: 1, atOnce: 2, lingerMs: 0, enough: 1 };

/** Tokens of ours and launch ids; nothing else is worth a question to the database. */
const CREDENTIAL = /^[\w-]{8,128}$/;

export class Authenticator {
  readonly #db: Db;
  /** For the heartbeat intake, and for reads; it is told of revocations from outside. */
  readonly cache: TokenCache;

  constructor(db: Db) {
    this.#db = db;
    const lookUps = new GroupCommit<string, TokenHolder | null>({
      ...LOOK_UPS,
      keyOf: (hash) => hash,
      laneOf: () => '',
      store: async (hashes) => {
        const holders = await findTokenHolders(db, hashes);
        return hashes.map((hash) => holders.get(hash) ?? null);
      },
    });
    this.cache = new TokenCache({ find: (hash) => lookUps.submit(hash) });
  }

  /** @throws Problem 401. */
  async caller(request: IncomingMessage): Promise<Caller> {
    const credential = readBearer(request);
    const holder = await this.#holder(request, credential);
    if (holder) return holder;
    const launch = await inScope(this.#db, { launchId: credential }, (transaction) =>
      findLaunch(transaction, credential),
    );
    if (launch) return { kind: 'launch', clientId: launch.clientId, launch };
    throw unauthorized('The token is unknown or was revoked.', 'error="invalid_token"');
  }

  /** Who only reads is known from memory, while revocations are heard; who changes something is looked up. */
  #holder({ method }: IncomingMessage, credential: string): TokenHolder | null | Promise<TokenHolder | null> {
    const reads = method === 'GET' || method === 'HEAD';
    return reads && this.cache.hears ? this.cache.holder(credential) : findTokenHolder(this.#db, credential);
  }

  /** The same for the heartbeat intake, where the same tokens come again and again. Launch ids aren't taken. */
  cachedHolder(request: IncomingMessage): TokenHolder | Promise<TokenHolder> {
    return this.cachedHolderByHash(tokenHash(readBearer(request)));
  }

  /** @throws Problem 401. */
  cachedHolderByHash(hash: string): TokenHolder | Promise<TokenHolder> {
    const holder = this.cache.holderByHash(hash);
    return holder instanceof Promise ? holder.then(requireHolder) : requireHolder(holder);
  }
}

function requireHolder(holder: TokenHolder | null): TokenHolder {
  if (holder) return holder;
  throw unauthorized('The token is unknown or was revoked.', 'error="invalid_token"');
}

function readBearer(request: IncomingMessage): string {
  const header = request.headers.authorization;
  if (header === undefined)
    throw unauthorized('The request carries no token: send Authorization: Bearer <token>.');
  const credential = credentialOf(header);
  if (credential === null) {
    throw unauthorized(
      'The Authorization header is not of the form Bearer <token>.',
      'error="invalid_token"',
    );
  }
  return credential;
}

/** Null for what can be no credential of ours. @param header Authorization's value. */
export function credentialOf(header: string): string | null {
  const [, credential] = /^Bearer +(\S+)$/i.exec(header) ?? [];
  return credential !== undefined && CREDENTIAL.test(credential) ? credential : null;
}

function unauthorized(detail: string, parameters = ''): Problem {
  const challenge = parameters ? `Bearer realm="spotkeeper", ${parameters}` : 'Bearer realm="spotkeeper"';
  return new Problem(401, 'unauthorized', detail, { headers: { 'WWW-Authenticate': challenge } });
}
