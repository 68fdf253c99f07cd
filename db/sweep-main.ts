/**
 * The process that makes one lease sweep by hand and says how long it took: `DATABASE_URL=… node dist/db/sweep-main.js`.
 * Prints `{swept, extended, lost, milliseconds}` as one JSON line. The workers do the same by themselves.
 */
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { EnvironmentError, readEnvironment } from '../contracts/environment';
import { connectDatabase } from './connect';
import { sweepLeases } from './lease-sweep';
import { databaseVariables } from './settings';

/** As the workers' at their default of a sweep every 5 s. */
const GAP_SECONDS = '15';

async function main(): Promise<void> {
  const { DATABASE_URL } = readEnvironment(z.object(databaseVariables), process.env);
  const options = { 'gap-seconds': { type: 'string', default: GAP_SECONDS } } as const;
  const gapSeconds = Number(parseArgs({ options }).values['gap-seconds']);
  if (!(gapSeconds > 0)) {
    throw new EnvironmentError('The flag --gap-seconds is not usable: it takes a number of seconds above 0.');
  }
  const db = connectDatabase(DATABASE_URL, 'spotkeeper_worker', 1);
  try {
    await db.selectFrom('sweep_runs').select('name').execute(); // The connection's making is not the sweep's.
    const start = performance.now();
    const result = await sweepLeases(db, gapSeconds);
    const milliseconds = Math.round((performance.now() - start) * 10) / 10;
    process.stdout.write(`${JSON.stringify({ ...result, milliseconds })}\n`);
  } finally {
    await db.destroy();
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof EnvironmentError ? 2 : 1;
});
