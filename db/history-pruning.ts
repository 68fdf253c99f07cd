/** What happened and was told is forgotten after a while, a bounded number of rows at a time. */
import { sql } from 'kysely';
import type { Db } from './connect';

/** In days. */
export interface HistoryLimits {
  /** Events of severity info. */
  infoEvents: number;
  /** Events of severity warning and critical. */
  alertEvents: number;
  /** Messages that were delivered or given up, and the groups that they told of. */
  notifications: number;
}

export const HISTORY_LIMITS: HistoryLimits = { infoEvents: 90, alertEvents: 365, notifications: 30 };

/** Of each kind in a round: a round is short, and what is left goes in the next. */
const MOST = 2_000;

export interface Pruned {
  events: number;
  deliveries: number;
  notifications: number;
}

/** One round, in a transaction a kind. */
export async function pruneHistory(db: Db, limits: HistoryLimits, most = MOST): Promise<Pruned> {
  const { infoEvents, alertEvents, notifications } = limits;
  const pruned = async (call: ReturnType<typeof sql<{ pruned: number }>>) =>
    (await call.execute(db)).rows[0]?.pruned ?? 0;
  return {
    deliveries: await pruned(sql`select prune_deliveries(${notifications}, ${most}) as pruned`),
    notifications: await pruned(sql`select prune_notifications(${notifications}, ${most}) as pruned`),
    events: await pruned(sql`select prune_events(${infoEvents}, ${alertEvents}, ${most}) as pruned`),
  };
}
