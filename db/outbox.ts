/**
 * News on its way to workflows. A row is added in the transaction that makes it true, and deleted once delivered, by
 * whoever is alive. A crash between the two delivers it twice, which the workflows recognise by revision or instance.
 *
 * Order holds per workflow: a row is only delivered while it is the oldest of its workflow, under the lock of a
 * transaction.
 */
import { sql } from 'kysely';
import type { Db } from './connect';

export interface OutboxMessage {
  clientId: string;
  workflowId: string;
  signal: string;
  payload: object;
}

/** What became of sending one: its workflow can be gone for good. */
export type Sent = 'delivered' | 'no_such_workflow';

export type Send = (message: Pick<OutboxMessage, 'workflowId' | 'signal' | 'payload'>) => Promise<Sent>;

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
  send: Send,
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

function drainBatch(db: Db, send: Send, minAgeMs: number, workflowId: string | undefined): Promise<Drained> {
  return db.transaction().execute(async (transaction) => {
    const { rows } = await sql<{ id: string; workflow_id: string; signal: string; payload: object }>`
      select id, workflow_id, signal, payload from outbox
      where id in (
          select min(id) from outbox where not undeliverable
            and (${workflowId ?? null}::text is null or workflow_id = ${workflowId ?? null})
          group by workflow_id)
        and created_at <= now() - make_interval(secs => ${minAgeMs / 1000})
      order by id limit ${BATCH} for update skip locked`.execute(transaction);
    const outcomes = await Promise.all(rows.map((row) => deliver(transaction, send, row)));
    const delivered = outcomes.filter(Boolean).length;
    return { delivered, failed: outcomes.length - delivered };
  });
}

async function deliver(
  db: Db,
  send: Send,
  row: { id: string; workflow_id: string; signal: string; payload: object },
): Promise<boolean> {
  try {
    const sent = await send({ workflowId: row.workflow_id, signal: row.signal, payload: row.payload });
    if (sent === 'delivered') {
      await sql`delete from outbox where id = ${row.id}`.execute(db);
    } else {
      await sql`update outbox set undeliverable = true, last_error = 'no such workflow' where id = ${row.id}`.execute(
        db,
      );
    }
    return true;
  } catch (error) {
    await sql`update outbox set attempts = attempts + 1, last_error = ${String(error)} where id = ${row.id}`.execute(
      db,
    );
    return false;
  }
}
