/** Recorded markets: a folder of JSON files, one a pool, or a folder of such folders. */
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { Market, poolName } from './market';
import type { PoolRecord } from './market';
import { RunLengths } from './run-lengths';

const runLength = z.number().int().positive();
const traceSchema = z.object({
  zone: z.string().min(1),
  region: z.string().min(1),
  instance_type: z.string().min(1),
  gap_seconds: z.number().positive(),
  on_demand_price_usd_per_hour: z.number().nonnegative(),
  available_runs: z.array(z.tuple([z.union([z.literal(0), z.literal(1)]), runLength])).min(1),
  spot_price_usd_per_hour_runs: z.array(z.tuple([z.number().nonnegative(), runLength])).min(1),
});

/**
 * Reads every `.json` file of the folder, and of its folders. Where two record the same pool, the finer ticks win.
 * @throws Error, one sentence, when the folder can't be read, holds no record, or a file is not one.
 */
export function readRecordedMarket(folder: string, startTick = 0): Market {
  const files = listRecords(folder);
  if (files.length === 0) {
    throw new Error(
      `The folder of traces ${folder} holds no .json file, nor do its folders; name one that does.`,
    );
  }
  const pools = new Map<string, PoolRecord>();
  const hash = createHash('sha256');
  for (const file of files) {
    const text = readFileSync(file, 'utf8');
    hash.update(text);
    const pool = parseRecord(file, text);
    const name = poolName(pool.zone, pool.instanceType);
    const known = pools.get(name);
    if (!known || pool.gapSeconds < known.gapSeconds) pools.set(name, pool);
  }
  const fingerprint = hash.digest('hex').slice(0, 12);
  const name = `the recorded market ${fingerprint} (${path.basename(path.resolve(folder))}) from tick ${startTick}`;
  return new Market(name, [...pools.values()], startTick);
}

function listRecords(folder: string): string[] {
  let names: string[];
  try {
    names = readdirSync(folder).sort();
  } catch (error) {
    throw new Error(`The folder of traces ${folder} can't be read: ${(error as Error).message}.`, {
      cause: error,
    });
  }
  return names.flatMap((name) => {
    const entry = path.join(folder, name);
    if (statSync(entry).isDirectory()) {
      return readdirSync(entry)
        .filter((inner) => inner.endsWith('.json'))
        .sort()
        .map((inner) => path.join(entry, inner));
    }
    return name.endsWith('.json') ? [entry] : [];
  });
}

function parseRecord(file: string, text: string): PoolRecord {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new Error(`The trace ${file} is not JSON: ${(error as Error).message}.`, { cause: error });
  }
  const parsed = traceSchema.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new Error(`The trace ${file} is not usable: ${issue?.path.join('.')}: ${issue?.message}.`);
  }
  const trace = parsed.data;
  return {
    region: trace.region,
    zone: trace.zone,
    instanceType: trace.instance_type,
    gapSeconds: trace.gap_seconds,
    onDemandPrice: trace.on_demand_price_usd_per_hour,
    available: new RunLengths(trace.available_runs.map(([up, ticks]) => [up === 1, ticks] as const)),
    spotPrice: new RunLengths(trace.spot_price_usd_per_hour_runs),
  };
}
