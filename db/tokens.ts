/**
 * Credentials: 256 random bits behind a prefix that says the kind, stored as SHA-256 only. A token is found by its hash,
 * so how long a comparison takes says nothing about any stored one.
 */
import { hash, randomBytes } from 'node:crypto';
import { type Selectable, sql } from 'kysely';
import { type Db, inScope } from './connect';
import type { TokenKind, TokensTable } from './schema';

/** For people who find one in a log or a file: what it is, and that it is ours. */
const PREFIXES: Record<TokenKind, string> = { admin: 'ska_', client: 'skc_', user: 'sku_', agent: 'ski_' };

/** Who holds a token. */
export type TokenHolder =
  | { kind: 'admin' }
  | { kind: 'client'; clientId: string }
  | { kind: 'user'; clientId: string; canAct: boolean }
  | { kind: 'agent'; clientId: string; agentId: string; instanceId: string; incarnation: number };

export interface IssuedToken {
  id: string;
  /** Shown this once. */
  token: string;
}

/** Adds a token in the caller's transaction, whose scope must be the holder's client or an administrator's. */
export async function issueToken(
  transaction: Db,
  holder: TokenHolder,
  label: string | null,
): Promise<IssuedToken> {
  const token = PREFIXES[holder.kind] + randomBytes(32).toString('base64url');
  const agent = holder.kind === 'agent' ? holder : null;
  const { id } = await transaction
    .insertInto('tokens')
    .values({
      token_hash: Buffer.from(tokenHash(token), 'hex'),
      kind: holder.kind,
      client_id: holder.kind === 'admin' ? null : holder.clientId,
      can_act: holder.kind === 'user' ? holder.canAct : true,
      agent_id: agent?.agentId ?? null,
      instance_id: agent?.instanceId ?? null,
      incarnation: agent?.incarnation ?? null,
      label,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return { id, token };
}

/** Null for one that is unknown or revoked. */
export async function findTokenHolder(db: Db, token: string): Promise<TokenHolder | null> {
  const stored = tokenHash(token);
  return (await findTokenHolders(db, [stored])).get(stored) ?? null;
}

/**
 * The holders by their tokens' hashes; those that are unknown or revoked are left out.
 * @param hashes as `tokenHash` makes them.
 */
export async function findTokenHolders(db: Db, hashes: readonly string[]): Promise<Map<string, TokenHolder>> {
  const rows = await inScope(db, { tokenHashes: hashes }, (transaction) =>
    transaction
      .selectFrom('tokens')
      .select(['token_hash', 'kind', 'client_id', 'can_act', 'agent_id', 'instance_id', 'incarnation'])
      .where(sql<boolean>`token_hash = any (${hashes.map((one) => Buffer.from(one, 'hex'))}::bytea[])`)
      .where('revoked_at', 'is', null)
      .execute(),
  );
  return new Map(rows.map((row) => [row.token_hash.toString('hex'), holderOf(row)]));
}

type HolderRow = Pick<
  Selectable<TokensTable>,
  'kind' | 'client_id' | 'can_act' | 'agent_id' | 'instance_id' | 'incarnation'
>;

function holderOf(row: HolderRow): TokenHolder {
  if (row.kind === 'admin') return { kind: 'admin' };
  const clientId = present(row.client_id);
  switch (row.kind) {
    case 'client':
      return { kind: 'client', clientId };
    case 'user':
      return { kind: 'user', clientId, canAct: row.can_act };
    case 'agent':
      return {
        kind: 'agent',
        clientId,
        agentId: present(row.agent_id),
        instanceId: present(row.instance_id),
        incarnation: present(row.incarnation),
      };
  }
}

/** An instance that registers again gets a new token; the ones before it end. */
export async function revokeAgentTokens(transaction: Db, agentId: string, instanceId: string): Promise<void> {
  await transaction
    .updateTable('tokens')
    .set({ revoked_at: sql`now()` })
    .where('kind', '=', 'agent')
    .where('agent_id', '=', agentId)
    .where('instance_id', '=', instanceId)
    .where('revoked_at', 'is', null)
    .execute();
}

/** @returns the token's hash; null if there is none in the transaction's scope. A revoked one stays revoked. */
export async function revokeToken(transaction: Db, id: string): Promise<string | null> {
  const revoked = await transaction
    .updateTable('tokens')
    .set({ revoked_at: sql`coalesce(revoked_at, now())` })
    .where('id', '=', id)
    .returning('token_hash')
    .executeTakeFirst();
  return revoked?.token_hash.toString('hex') ?? null;
}

/** What is kept of a token: its SHA-256, hexadecimal. */
export function tokenHash(token: string): string {
  return hash('sha256', token, 'hex');
}

/** The table's checks hold these to be there. */
function present<T>(value: T | null): T {
  if (value === null) throw new TypeError('A token in the database lacks what its kind must have.');
  return value;
}
