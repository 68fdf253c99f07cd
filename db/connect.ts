/** Connections to Postgres, each under one of the roles that the migrations make. */
import { Kysely, PostgresDialect, sql } from 'kysely';
import { Pool } from 'pg';
import type { Database } from './schema';

export type DatabaseRole =
  'spotkeeper_ingest' | 'spotkeeper_api' | 'spotkeeper_worker' | 'spotkeeper_metrics';

export type Db = Kysely<Database>;

/** A heartbeat's sender has given up by then, and so has the server on the statement. */
const INGEST_TIMEOUT_MS = 10_000;

const pools = new WeakMap<Db, Pool>();

/**
 * A pool whose every connection acts as `role` from its first statement. The login in `url` must be a member of the
 * role (the one that ran the migrations is). Close it with `destroy()`.
 */
export function connectDatabase(url: string, role: DatabaseRole, maxConnections = 10): Db {
  const ingest = role === 'spotkeeper_ingest';
  const pool = new Pool({
    connectionString: url,
    max: maxConnections,
    options: `-c role=${role}${ingest ? ` -c statement_timeout=${INGEST_TIMEOUT_MS}` : ''}`,
    // For a server that doesn't answer at all, a little later than its own.
    ...(ingest && { query_timeout: INGEST_TIMEOUT_MS + 2_000 }),
    application_name: role.replace('_', '-'),
    connectionTimeoutMillis: 10_000,
  });
  // An idle connection that the server drops is replaced at the next query, which reports what is still wrong then.
  pool.on('error', () => undefined);
  // So is one that breaks in the middle of a transaction: the pool itself listens only to those that are idle.
  pool.on('connect', (client) => client.on('error', () => undefined));
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
  pools.set(db, pool);
  // Kysely ends the connections only if it has made some itself.
  const destroy = db.destroy.bind(db);
  db.destroy = async () => {
    await destroy();
    if (!pool.ending) await pool.end();
  };
  return db;
}

/** The connections behind `db`, for statements that are prepared once each. */
export function poolOf(db: Db): Pool {
  const pool = pools.get(db);
  if (pool === undefined) throw new TypeError('This is a transaction, or no database of connectDatabase.');
  return pool;
}

/** What a request may see. A transaction starts with nothing and names its scope. */
export type RequestScope =
  | { clientId: string }
  | { admin: true }
  /** Hexadecimal. */
  | { tokenHashes: readonly string[] }
  | { launchId: string }
  | { instanceId: string };

/** Runs `work` in one transaction in which the row policies show only what `scope` names. */
export function inScope<T>(db: Db, scope: RequestScope, work: (transaction: Db) => Promise<T>): Promise<T> {
  return db.transaction().execute(async (transaction) => {
    const [name, value] = settingOf(scope);
    await sql`select set_config(${name}, ${value}, true)`.execute(transaction);
    return work(transaction);
  });
}

function settingOf(scope: RequestScope): [name: string, value: string] {
  if ('clientId' in scope) return ['spotkeeper.client_id', scope.clientId];
  if ('admin' in scope) return ['spotkeeper.scope', 'admin'];
  if ('tokenHashes' in scope) return ['spotkeeper.token_hashes', scope.tokenHashes.join(',')];
  if ('instanceId' in scope) return ['spotkeeper.instance_id', scope.instanceId];
  return ['spotkeeper.launch_id', scope.launchId];
}
