/** Brings a database to the newest schema with Kysely's migrator, all of it in one transaction. */
import { Kysely, type Migration, Migrator, PostgresDialect } from 'kysely';
import { Client, Pool } from 'pg';
import * as initial from './migrations/0001-initial';

/** Named in the code rather than found in a folder, so that a bundle or another working folder changes nothing. */
const MIGRATIONS: Record<string, Migration> = { '0001-initial': initial };

/**
 * @returns names of the migrations that ran now.
 * @throws the failing migration's error; the transaction leaves the database as it was.
 */
export async function migrateToLatest(url: string): Promise<string[]> {
  const db = new Kysely<unknown>({
    dialect: new PostgresDialect({ pool: new Pool({ connectionString: url, max: 2 }) }),
  });
  try {
    const migrator = new Migrator({ db, provider: { getMigrations: () => Promise.resolve(MIGRATIONS) } });
    const { error, results } = await migrator.migrateToLatest();
    if (error) throw error;
    return (results ?? []).map((result) => result.migrationName);
  } finally {
    await db.destroy();
  }
}

/** Waits for nothing: one attempt to log in, for a clear sentence when the address is wrong. */
export async function checkConnection(url: string): Promise<void> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  try {
    await client.connect();
  } finally {
    await client.end();
  }
}
