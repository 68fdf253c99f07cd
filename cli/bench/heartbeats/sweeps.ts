/** How long a lease sweep takes over all that is in the books. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { until } from '../../parts/until';
import { DIST } from '../../checkout';

export interface SweepFigures {
  /** Of a sweep that finds nothing, as nearly all do. */
  quietMs: number;
  /** Of a sweep that finds every lease over. */
  allLostMs: number;
  leases: number;
}

/** Leaves every agent silent: nothing can be measured after it. */
export async function timeSweeps(databaseUrl: string, env: NodeJS.ProcessEnv): Promise<SweepFigures> {
  const sweep = async () => {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [path.join(DIST, 'db', 'sweep-main.js'), '--gap-seconds', '60'],
      { env: { ...env, DATABASE_URL: databaseUrl } },
    );
    return JSON.parse(stdout) as { swept: boolean; lost: number; milliseconds: number };
  };
  const swept = () =>
    until(
      'the sweep is ours',
      async () => {
        const result = await sweep();
        return result.swept && result;
      },
      30_000,
    );
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const quiet: number[] = [];
    for (let round = 0; round < 5; round += 1) quiet.push((await swept()).milliseconds);
    // In one transaction with the lock that sweeps hold, so that none of the worker's comes first.
    await client.query('begin');
    await client.query('select pg_advisory_xact_lock(7351001)');
    const { rowCount } = await client.query(
      `update leases set lease_until = now() - interval '1 second' where state = 'live'`,
    );
    await client.query('commit');
    const all = await swept();
    if (all.lost !== rowCount) throw new Error(`The sweep found ${all.lost} of ${rowCount} leases over.`);
    return {
      quietMs: quiet.sort((a, b) => a - b)[2] as number,
      allLostMs: all.milliseconds,
      leases: rowCount ?? 0,
    };
  } finally {
    await client.end();
  }
}
