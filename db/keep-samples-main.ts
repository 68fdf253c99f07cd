/**
 * One round of the keeping of samples, which workers otherwise do every half minute:
 * `DATABASE_URL=… node dist/db/keep-samples-main.js`. Prints what it did as one JSON line.
 */
import { z } from 'zod';
import { readEnvironment } from '../contracts/environment';
import { connectDatabase } from './connect';
import { keepSamples, SAMPLE_LIMITS } from './sample-parts';
import { databaseVariables } from './settings';

async function main(): Promise<void> {
  const { DATABASE_URL } = readEnvironment(z.object(databaseVariables), process.env);
  const db = connectDatabase(DATABASE_URL, 'spotkeeper_worker', 1);
  try {
    const start = performance.now();
    const kept = await keepSamples(db, SAMPLE_LIMITS);
    const milliseconds = Math.round(performance.now() - start);
    process.stdout.write(`${JSON.stringify({ ...kept, milliseconds })}\n`);
  } finally {
    await db.destroy();
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
