/** Makes the samples' parts ahead of time, and drops those whose time is over, oldest first. Under the role spotkeeper_worker. */
import { sql } from 'kysely';
import type { Db } from './connect';
import { asOnlyWorker, rollUpSamples, sumUpHours, sumUpMinutes } from './sample-rollup';
import type { SamplePartsView } from './sample-tables';

/** How long samples are kept. */
export interface SampleLimits {
  /** Samples at full rate. */
  fullRateHours: number;
  /** Bytes of samples at full rate, beyond which their oldest part goes early. */
  fullRateBytes: number;
  minutesDays: number;
  hoursDays: number;
}

export const SAMPLE_LIMITS: SampleLimits = {
  fullRateHours: 24,
  fullRateBytes: 20 * 2 ** 30,
  minutesDays: 7,
  hoursDays: 90,
};

export interface SamplesKept {
  partsMade: number;
  stepsSummedUp: number;
  dropped: string[];
  /** Of the dropped, those at full rate that went before their time, for want of room. */
  droppedEarly: string[];
  /** Someone stood in the way of making or dropping a part: it is tried again at the next round. */
  busy: boolean;
}

/** Whoever writes or reads samples waits no longer than this for a part to be made or dropped. */
const LOCK_TIMEOUT = `set local lock_timeout = '200ms'`;
const LOCK_NOT_AVAILABLE = '55P03';

/** One round; does nothing while another worker is at it. */
export async function keepSamples(db: Db, limits: SampleLimits): Promise<SamplesKept> {
  const kept: SamplesKept = { partsMade: 0, stepsSummedUp: 0, dropped: [], droppedEarly: [], busy: false };
  const made = await unlessBusy(db, async (transaction) => {
    const result = await sql<{ made: number }>`select make_sample_parts() as made`.execute(transaction);
    return result.rows[0]?.made ?? 0;
  });
  kept.busy = made === 'busy';
  kept.partsMade = Number(made) || 0;
  kept.stepsSummedUp = await rollUpSamples(db);
  for (const { part, early } of await outdated(db, limits)) {
    await asOnlyWorker(db, (transaction) => sumUp(transaction, part));
    const dropped = await unlessBusy(db, async (transaction) => {
      await sql`select drop_sample_part(${part.part})`.execute(transaction);
      return true;
    });
    if (dropped === 'busy') kept.busy = true;
    if (dropped !== true) break;
    kept.dropped.push(part.part);
    if (early) kept.droppedEarly.push(part.part);
  }
  return kept;
}

interface Outdated {
  part: SamplePartsView;
  early: boolean;
}

async function outdated(db: Db, limits: SampleLimits): Promise<Outdated[]> {
  const ages: Record<string, string> = {
    heartbeat_samples: `${limits.fullRateHours} hours`,
    heartbeat_samples_5m: `${limits.minutesDays} days`,
    heartbeat_samples_1h: `${limits.hoursDays} days`,
  };
  const found = await sql<SamplePartsView & { old: boolean; over: boolean }>`
    select part.*, ends_at <= now() - (${JSON.stringify(ages)}::jsonb ->> parent)::interval as old,
      -- A minute after its end nobody writes into it any more.
      ends_at <= now() - interval '1 minute' as over
    from sample_parts part order by starts_at`.execute(db);
  let bytes = sumOf(found.rows.filter((part) => part.parent === 'heartbeat_samples' && !part.old));
  return found.rows.flatMap((part): Outdated[] => {
    if (part.old) return [{ part, early: false }];
    if (part.parent !== 'heartbeat_samples' || !part.over || bytes <= limits.fullRateBytes) return [];
    bytes -= Number(part.bytes);
    return [{ part, early: true }];
  });
}

function sumOf(parts: SamplePartsView[]): number {
  return parts.reduce((sum, part) => sum + Number(part.bytes), 0);
}

/** The last look at a part's rows: whatever came late is counted now. */
async function sumUp(transaction: Db, part: SamplePartsView): Promise<void> {
  const span = { from: part.starts_at, to: part.ends_at };
  if (part.parent === 'heartbeat_samples') await sumUpMinutes(transaction, span);
  if (part.parent !== 'heartbeat_samples_1h') await sumUpHours(transaction, span);
}

async function unlessBusy<T>(db: Db, work: (transaction: Db) => Promise<T>): Promise<T | 'busy' | null> {
  try {
    return await asOnlyWorker(db, async (transaction) => {
      await sql.raw(LOCK_TIMEOUT).execute(transaction);
      return work(transaction);
    });
  } catch (error) {
    if ((error as { code?: unknown }).code === LOCK_NOT_AVAILABLE) return 'busy';
    throw error;
  }
}
