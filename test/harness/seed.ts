/** A client in the books, for tests that don't go through the API. */
import { Client } from 'pg';

export async function seedClient(databaseUrl: string, clientId: string): Promise<void> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query('insert into clients (id, name) values ($1, $1) on conflict do nothing', [clientId]);
  } finally {
    await client.end();
  }
}
