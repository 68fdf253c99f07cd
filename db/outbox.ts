/**
 * News on its way to workflows. A row is added in the transaction that makes it true, and deleted once delivered, by
 * whoever is alive. A crash between the two delivers it twice, which the workflows recognise by revision or instance.
 *
 * Order holds per workflow: a row is only delivered while it is the oldest of its workflow, under the lock of a
 * transaction.
 */
import { sql } from 'kysely';
import type { OutboxSignal, SendSignal, StoredSignal } from '../contracts/outbox';
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

/**
 * Delivers what is due, oldest first, until nothing is left or a send fails.
 * @param minAgeMs leaves younger rows to whoever added them.
 * @param workflowId only that workflow's.
 */
export async function drainOutbox(
  db: Db,
  send: SendSignal,
  { minAgeMs = 0, workflowId }: { minAgeMs?: number; workflowId?: string } = {},
): Promise<Drained> {
  const total: Drained = { delivered: 0, failed: 0 };
  for (;;) {
    const round = await drainBatch(db, send, minAgeMs, workflowId);
    total.delivered += round.delivered;
    total.failed += round.failed;
    if (round.delivered === 0 || round.failed > 0) return total;
  }
}

const BATCH = 100;

function drainBatch(
  db: Db,
  send: SendSignal,
  minAgeMs: number,
  workflowId: string | undefined,
): Promise<Drained> {
  return db.transaction().execute(async (transaction) => {
    const { rows } = await sql<StoredSignal>`
      select id, workflow_id as "workflowId", signal, payload from outbox
      where id in (
          select min(id) from outbox where not undeliverable
            and (${workflowId ?? null}::text is null or workflow_id = ${workflowId ?? null})
          group by workflow_id)
        and created_at <= now() - make_interval(secs => ${minAgeMs / 1000})
      order by id limit ${BATCH} for update skip locked`.execute(transaction);
    const sent = await Promise.all(rows.map((row) => deliver(transaction, send, row)));
    const delivered = sent.filter(Boolean).length;
    return { delivered, failed: sent.length - delivered };
  });
}

/** Whether the row is settled; one that failed stays, and holds back what its workflow should hear after it. */
async function deliver(db: Db, send: SendSignal, row: StoredSignal): Promise<boolean> {
  const outcome = await send(row);
  switch (outcome.result) {
    case 'delivered':
      await sql`delete from outbox where id = ${row.id}`.execute(db);
      return true;
    case 'undeliverable':
      await sql`update outbox set undeliverable = true, last_error = ${outcome.reason}
        where id = ${row.id}`.execute(db);
      return true;
    case 'failed':
      await sql`update outbox set attempts = attempts + 1, last_error = ${outcome.reason}
        where id = ${row.id}`.execute(db);
      return false;
  }
}
