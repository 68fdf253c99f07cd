/** What happened, for people: `system_events`. A repeated write of the same key adds nothing. */
import { sql } from 'kysely';
import type { SystemEvent } from '../contracts/activities';
import type { Db } from './connect';

export interface KeyedEvent extends SystemEvent {
  /** Deterministic: the same happening has the same key at every attempt to write it. */
  key: string;
}

export async function writeEvents(
  db: Db,
  clientId: string,
  /** Null for what concerns no agent, or many. */
  agentId: string | null,
  events: readonly KeyedEvent[],
): Promise<void> {
  if (events.length === 0) return;
  await db
    .insertInto('system_events')
    .values(
      events.map((event) => ({
        event_key: event.key,
        client_id: clientId,
        agent_id: agentId,
        instance_id: event.instanceId,
        event_type: event.eventType,
        severity: event.severity,
        message: event.message,
        details: JSON.stringify(event.details),
      })),
    )
    .onConflict((conflict) => conflict.column('event_key').doNothing())
    .execute();
}

/** What concerns the whole system is an event of each client. */
export async function tellEveryClient(db: Db, event: KeyedEvent): Promise<void> {
  await sql`
    insert into system_events (event_key, client_id, event_type, severity, message, details)
    select ${event.key}::text || ':' || id, id, ${event.eventType}, ${event.severity}, ${event.message},
      ${JSON.stringify(event.details)}::jsonb
    from clients on conflict (event_key) do nothing`.execute(db);
}
