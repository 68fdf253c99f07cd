/** A database of a test file's own, cloned from the migrated template. */
import { Client } from 'pg';
import { TEMPLATE, testServers } from './servers';
import { testFile } from './test-file';
import { until } from './until';

export interface TestDatabase {
  /** Of a superuser login that is a member of every role. */
  url: string;
  name: string;
  /** Waits briefly for its connections to close; any that stays open is a leak and fails the file. */
  drop(): Promise<void>;
}

let count = 0;

export async function createTestDatabase(): Promise<TestDatabase> {
  const books = testFile();
  const name = `test_${books.mark}_${++count}`;
  // Two clones of one template can't be made at the same moment; the lock is held for the statement only.
  await onServer(async (client) => {
    await client.query('select pg_advisory_lock(718281828)');
    await client.query(`create database ${client.escapeIdentifier(name)} template ${TEMPLATE}`);
  });
  books.databases.add(name);
  const url = new URL(testServers().postgresUrl);
  url.pathname = `/${name}`;
  return { url: url.href, name, drop: () => drop(name) };
}

async function drop(name: string): Promise<void> {
  const books = testFile();
  if (!books.databases.delete(name)) return;
  await onServer(async (client) => {
    const left = await connectionsLeft(client, name);
    if (left.length > 0) books.leaks.push(`connections to its database ${name}: ${left.join('; ')}`);
    await client.query(`drop database ${client.escapeIdentifier(name)} with (force)`);
  });
}

/** Who is still connected after a moment's grace, as readable text each. */
export async function connectionsLeft(client: Client, database: string): Promise<string[]> {
  const ask = async () => {
    const { rows } = await client.query<{ who: string }>(
      `select coalesce(nullif(application_name, ''), 'unnamed') || ' (' || coalesce(state, '?') || '): ' || left(query, 80) as who
       from pg_stat_activity where datname = $1 and backend_type = 'client backend'`,
      [database],
    );
    return rows.map((row) => row.who);
  };
  let left: string[] = [];
  await until('no connection is left', async () => (left = await ask()).length === 0, 3000).catch(
    () => undefined,
  );
  return left;
}

/** Runs `work` on a connection to the server's own database. */
export async function onServer<T>(work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: testServers().postgresUrl });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
