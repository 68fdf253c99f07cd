/** The process that migrates: `DATABASE_URL=… node dist/db/migrate-main.js`. Prints what it ran as one JSON line. */
import { z } from 'zod';
import { EnvironmentError, readEnvironment } from '../contracts/environment';
import { checkConnection, migrateToLatest } from './migrate';
import { databaseVariables } from './settings';

async function main(): Promise<void> {
  const { DATABASE_URL } = readEnvironment(z.object(databaseVariables), process.env);
  await checkConnection(DATABASE_URL);
  process.stdout.write(`${JSON.stringify({ migrated: await migrateToLatest(DATABASE_URL) })}\n`);
}

main().catch((error: unknown) => {
  const usage = error instanceof EnvironmentError;
  const reason =
    error instanceof Error ? error.message || String((error as { code?: unknown }).code) : String(error);
  process.stderr.write(usage ? `${reason}\n` : `The database could not be migrated: ${reason}\n`);
  process.exitCode = usage ? 2 : 1;
});
