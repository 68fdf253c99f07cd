/**
 * News on its way to workflows. A row is added in the transaction that makes it true, and deleted once delivered, by
 * whoever is alive. A crash between the two delivers it twice, which the workflows recognise by revision or instance.
 *
 * - **head**: the oldest row of a workflow that waits.
 *
 * Invariants:
 *   O1  a workflow's rows are delivered in the order of their ids, and only by whoever holds the lock of its head;
 *   O2  a row that fails holds back its own workflow only;
 *   O3  a row is deleted once Temporal has it, or once a later one makes it say nothing (outbox-compaction.ts).
 */
import { sql } from 'kysely';
import type { DeliveryOutcome, OutboxSignal, SendSignal, StoredSignal } from '../contracts/outbox';
import type { Db } from './connect';

export interface OutboxMessage extends OutboxSignal {
  clientId: string;
}

export async function addToOutbox(db: Db, messages: readonly OutboxMessage[]): Promise<void> {
  if (messages.length === 0) return;
  await db
    .insertInto('outbox')
    .values(
      messages.map(({ clientId, workflowId, signal, payload }) => ({
        client_id: clientId,
        workflow_id: workflowId,
        signal,
        payload: JSON.stringify(payload),
      })),
    )
    .execute();
}

export interface Drained {
  delivered: number;
  failed: number;
}

export interface DrainOptions {
  /** Leaves younger rows to whoever added them. */
  minAgeMs?: number;
  /** Only these. */
  workflowIds?: readonly string[];
  /** Signals on their way to Temporal at once: more than it can take would only fail. */
  atOnce?: number;
}

/** Looked for together. */
const HEADS = 5_000;
/** Delivered in one transaction, which holds their locks. */
const WORKFLOWS = 100;
const ROWS_OF_WORKFLOW = 20;
const AT_ONCE = 32;
/** Of a row that fails again and again, while others are delivered. */
const LONGEST_RETRY_SECONDS = 60;

/**
 * Delivers what is due until nothing is left, or until nothing could be delivered: then Temporal is away, and no more is
 * tried than the first.
 */
export async function drainOutbox(db: Db, send: SendSignal, options: DrainOptions = {}): Promise<Drained> {
  const total: Drained = { delivered: 0, failed: 0 };
  for (;;) {
    const heads = await findHeads(db, options);
    let delivered = 0;
    for (const chunk of chunksOf(heads, options.workflowIds === undefined)) {
      const round = await deliverHeads(db, send, chunk, options.atOnce ?? AT_ONCE);
      total.delivered += round.delivered;
      total.failed += round.failed;
      delivered += round.delivered;
      if (round.failed > 0 && round.delivered === 0) return total;
    }
    if (delivered === 0) return total;
  }
}

/** @param tryOne the first goes alone, and shows whether anybody is there. */
function chunksOf(heads: string[], tryOne: boolean): string[][] {
  const chunks = tryOne && heads.length > 0 ? [heads.slice(0, 1)] : [];
  for (let start = chunks.length; start < heads.length; start += WORKFLOWS) {
    chunks.push(heads.slice(start, start + WORKFLOWS));
  }
  return chunks;
}

/** Ids, notices first, then the oldest. */
async function findHeads(db: Db, { minAgeMs = 0, workflowIds }: DrainOptions): Promise<string[]> {
  const heads = workflowIds
    ? sql`select distinct on (workflow_id) id, signal, created_at, retry_at from outbox
        where not undeliverable and workflow_id = any (${[...workflowIds]}::text[]) order by workflow_id, id`
    : // From one workflow to the next by the index, however many rows wait of each.
      sql`select * from (
        with recursive head as (
          (select workflow_id, id, signal, created_at, retry_at from outbox where not undeliverable
            order by workflow_id, id limit 1)
          union all
          select next.* from head, lateral (
            select workflow_id, id, signal, created_at, retry_at from outbox
            where not undeliverable and workflow_id > head.workflow_id order by workflow_id, id limit 1) next
        ) select * from head) as heads`;
  const { rows } = await sql<{ id: string }>`
    select id from (${heads}) as due
    where created_at <= now() - make_interval(secs => ${minAgeMs / 1000})
      and (${workflowIds !== undefined} or retry_at is null or retry_at <= now())
    order by signal not in ('terminationNotice', 'rebalanceRecommendation'), id limit ${HEADS}`.execute(db);
  return rows.map((row) => row.id);
}

type Tried = StoredSignal & { outcome: DeliveryOutcome };

/** Upholds O1: what somebody else has locked is theirs. */
function deliverHeads(db: Db, send: SendSignal, heads: string[], atOnce: number): Promise<Drained> {
  return db.transaction().execute(async (transaction) => {
    const locked = await sql<{ workflowId: string }>`
      select workflow_id as "workflowId" from outbox where id = any (${heads}::bigint[]) and not undeliverable
      order by id for update skip locked`.execute(transaction);
    if (locked.rows.length === 0) return { delivered: 0, failed: 0 };
    const { rows } = await sql<StoredSignal>`
      select waiting.* from unnest(${locked.rows.map((row) => row.workflowId)}::text[]) with ordinality
          as of_head (workflow_id, place),
        lateral (select id, workflow_id as "workflowId", signal, payload from outbox
          where outbox.workflow_id = of_head.workflow_id and not undeliverable
          order by id limit ${ROWS_OF_WORKFLOW}) waiting
      order by place, waiting.id`.execute(transaction);
    const tried = await sendAll(send, rows, atOnce);
    await settle(transaction, tried);
    const failed = tried.filter((one) => one.outcome.result === 'failed').length;
    return { delivered: tried.length - failed, failed };
  });
}

/** Workflows side by side, the rows of each one after the other until one fails. */
async function sendAll(send: SendSignal, rows: readonly StoredSignal[], atOnce: number): Promise<Tried[]> {
  const byWorkflow = new Map<string, StoredSignal[]>();
  for (const row of rows) {
    const queue = byWorkflow.get(row.workflowId);
    if (queue) queue.push(row);
    else byWorkflow.set(row.workflowId, [row]);
  }
  const queues = byWorkflow.values();
  const tried: Tried[] = [];
  async function sendQueues(): Promise<void> {
    for (const queue of queues) {
      for (const row of queue) {
        const outcome = await send(row);
        tried.push({ ...row, outcome });
        if (outcome.result === 'failed') break;
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, byWorkflow.size) }, sendQueues));
  return tried;
}

async function settle(db: Db, tried: readonly Tried[]): Promise<void> {
  const of = (result: DeliveryOutcome['result']) => tried.filter((one) => one.outcome.result === result);
  const ids = (some: readonly Tried[]) => some.map((one) => one.id);
  const reasons = (some: readonly Tried[]) =>
    some.map(({ outcome }) => (outcome.result === 'delivered' ? '' : outcome.reason.slice(0, 1_000)));
  const [delivered, undeliverable, failed] = [of('delivered'), of('undeliverable'), of('failed')];
  if (delivered.length > 0) {
    await sql`delete from outbox where id = any (${ids(delivered)}::bigint[])`.execute(db);
  }
  if (undeliverable.length > 0) {
    await sql`update outbox set undeliverable = true, last_error = reason
      from unnest(${ids(undeliverable)}::bigint[], ${reasons(undeliverable)}::text[]) as why (row_id, reason)
      where id = row_id`.execute(db);
  }
  if (failed.length === 0) return;
  await sql`update outbox set attempts = attempts + 1, last_error = reason,
      retry_at = now() + make_interval(secs => least(${LONGEST_RETRY_SECONDS}, power(2, least(attempts, 16))))
    from unnest(${ids(failed)}::bigint[], ${reasons(failed)}::text[]) as why (row_id, reason)
    where id = row_id`.execute(db);
}

export interface OutboxFigures {
  waiting: number;
  undeliverable: number;
  /** Null when nothing waits. */
  oldestSeconds: number | null;
}

/** For the metrics. */
export async function readOutbox(db: Db): Promise<OutboxFigures> {
  const { rows } = await sql<OutboxFigures>`
    select (select count(*)::int from outbox where not undeliverable) as waiting,
      (select count(*)::int from outbox where undeliverable) as undeliverable,
      (select extract(epoch from now() - created_at)::float8 from outbox where not undeliverable
        order by id limit 1) as "oldestSeconds"`.execute(db);
  return rows[0] as OutboxFigures;
}
