/** A client in the books, with its tokens or, for tests that don't go through the API, without. */
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { Client } from 'pg';
import { ROOT } from './servers';

export interface Seeded {
  clientId: string;
  tokens: { admin: string; client: string; user: string };
}

/** As `npm start` makes one. */
export function seedTokens(databaseUrl: string, clientId: string): Seeded {
  const script = path.join(ROOT, 'dist', 'db', 'seed-main.js');
  const printed = execFileSync(process.execPath, [script, '--client', clientId], {
    encoding: 'utf8',
    env: { ...process.env, DATABASE_URL: databaseUrl },
  });
  return JSON.parse(printed) as Seeded;
}

export async function seedClient(databaseUrl: string, clientId: string): Promise<void> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query('insert into clients (id, name) values ($1, $1) on conflict do nothing', [clientId]);
  } finally {
    await client.end();
  }
}
