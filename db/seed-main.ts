/**
 * The process that makes a client and its first tokens: `DATABASE_URL=… node dist/db/seed-main.js --client demo`.
 * Prints `{clientId, tokens: {admin, client, user}}` as one JSON line. Run again, it leaves the client and issues new
 * tokens beside the old.
 */
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { EnvironmentError, readEnvironment } from '../contracts/environment';
import { createClient } from './clients';
import { connectDatabase, inScope } from './connect';
import { databaseVariables } from './settings';
import { issueToken } from './tokens';

function readClientId(): string {
  try {
    const { client } = parseArgs({ options: { client: { type: 'string', default: 'demo' } } }).values;
    if (/^[\w.-]{1,64}$/.test(client)) return client;
    throw new EnvironmentError(
      `The flag --client is not usable: got "${client}"; it takes up to 64 letters, digits, dots, dashes and underscores.`,
    );
  } catch (error) {
    if (error instanceof EnvironmentError) throw error;
    throw new EnvironmentError(`The command line is not usable: ${(error as Error).message}`);
  }
}

async function main(): Promise<void> {
  const clientId = readClientId();
  const { DATABASE_URL } = readEnvironment(z.object(databaseVariables), process.env);
  const db = connectDatabase(DATABASE_URL, 'spotkeeper_api', 1);
  try {
    const tokens = await inScope(db, { admin: true }, async (transaction) => {
      await createClient(transaction, { id: clientId, name: clientId, policy: {} });
      const admin = await issueToken(transaction, { kind: 'admin' }, 'made by seed');
      const client = await issueToken(transaction, { kind: 'client', clientId }, 'made by seed');
      const user = await issueToken(transaction, { kind: 'user', clientId, canAct: true }, 'made by seed');
      return { admin: admin.token, client: client.token, user: user.token };
    });
    process.stdout.write(`${JSON.stringify({ clientId, tokens })}\n`);
  } finally {
    await db.destroy();
  }
}

main().catch((error: unknown) => {
  const reason =
    error instanceof Error ? error.message || String((error as { code?: unknown }).code) : String(error);
  const usage = error instanceof EnvironmentError;
  process.stderr.write(usage ? `${reason}\n` : `The client could not be made: ${reason}\n`);
  process.exitCode = usage ? 2 : 1;
});
