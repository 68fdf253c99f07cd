/** System events as they are followed: in the order of their ids, of all clients that the scope shows. */
import type { Selectable } from 'kysely';
import type { SystemEventView } from '../contracts/http';
import type { Db } from './connect';
import type { SystemEventsTable } from './schema';

/**
 * Events after `after`, and those of `also`: an id is given before its transaction commits, so a lower one may appear
 * after a higher one was read. Oldest first.
 */
export async function readEvents(
  transaction: Db,
  after: string,
  also: readonly string[],
  limit: number,
): Promise<SystemEventView[]> {
  const rows = await transaction
    .selectFrom('system_events')
    .selectAll()
    .where((eb) => eb.or([eb('id', '>', after), ...(also.length > 0 ? [eb('id', 'in', [...also])] : [])]))
    .orderBy('id')
    .limit(limit)
    .execute();
  return rows.map(eventView);
}

/** As people see an event. */
export function eventView(row: Selectable<SystemEventsTable>): SystemEventView {
  return {
    id: row.id,
    event_type: row.event_type,
    created_at: row.created_at.toISOString(),
    severity: row.severity,
    client_id: row.client_id,
    agent_id: row.agent_id,
    instance_id: row.instance_id,
    message: row.message,
    details: row.details,
  };
}

/** The id after which the newest `count` events of the scope come; "0" when there are no more than these. */
export async function idBeforeNewest(transaction: Db, count: number): Promise<string> {
  const row = await transaction
    .selectFrom('system_events')
    .select('id')
    .orderBy('id', 'desc')
    .offset(count)
    .limit(1)
    .executeTakeFirst();
  return row?.id ?? '0';
}
