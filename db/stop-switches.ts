/**
 * The stop switches as people set them; who may is the row policies' to say. Each turn of one is an event of every
 * client that it holds, written with it.
 */
import { sql } from 'kysely';
import type { Db } from './connect';
import { scopeOf } from './stop-guards';

/** The system's switch, and a client's own beside it; those that aren't set are not there. */
export function readStopSwitches(transaction: Db, clientId: string | null) {
  const scopes = [scopeOf(null), ...(clientId === null ? [] : [scopeOf(clientId)])];
  return transaction
    .selectFrom('stop_switches')
    .selectAll()
    .where('scope', 'in', scopes)
    .orderBy('set_at')
    .execute();
}

/** Setting what is set changes nothing: the first reason stands. */
export async function setStopSwitch(
  transaction: Db,
  { clientId, reason, setBy }: { clientId: string | null; reason: string; setBy: string },
): Promise<void> {
  const set = await transaction
    .insertInto('stop_switches')
    .values({ scope: scopeOf(clientId), client_id: clientId, reason, set_by: setBy })
    .onConflict((conflict) => conflict.column('scope').doNothing())
    .returning('set_at')
    .executeTakeFirst();
  if (!set) return;
  await tell(transaction, clientId, set.set_at, {
    turn: 'set',
    severity: 'warning',
    message: `The stop switch of ${whose(clientId)} was set by ${setBy}: ${reason}. Until it is lifted no machine is stopped or terminated.`,
    details: { reason, by: setBy },
  });
}

/** Lifting what isn't set changes nothing. */
export async function liftStopSwitch(
  transaction: Db,
  { clientId, liftedBy }: { clientId: string | null; liftedBy: string },
): Promise<void> {
  const lifted = await transaction
    .deleteFrom('stop_switches')
    .where('scope', '=', scopeOf(clientId))
    .returning(['set_at', 'set_by', 'reason'])
    .executeTakeFirst();
  if (!lifted) return;
  await tell(transaction, clientId, lifted.set_at, {
    turn: 'lifted',
    severity: 'info',
    message: `The stop switch of ${whose(clientId)} was lifted by ${liftedBy}; ${lifted.set_by} had set it at ${lifted.set_at.toISOString()}: ${lifted.reason}. What it held back goes on.`,
    details: { reason: lifted.reason, by: liftedBy, set_by: lifted.set_by },
  });
}

function whose(clientId: string | null): string {
  return clientId === null ? 'the whole system' : `client ${clientId}`;
}

/** The system's switch holds every client, so each is told. */
async function tell(
  transaction: Db,
  clientId: string | null,
  setAt: Date,
  event: {
    turn: 'set' | 'lifted';
    severity: 'info' | 'warning';
    message: string;
    details: Record<string, string>;
  },
): Promise<void> {
  const key = `stop-switch:${scopeOf(clientId)}:${setAt.toISOString()}:${event.turn}`;
  const details = JSON.stringify({ scope: clientId === null ? 'system' : 'client', ...event.details });
  await sql`
    insert into system_events (event_key, client_id, event_type, severity, message, details)
    select ${key}::text || ':' || id, id, ${`stop_switch_${event.turn}`}, ${event.severity}, ${event.message},
      ${details}::jsonb
    from clients where ${clientId}::text is null or id = ${clientId}
    on conflict (event_key) do nothing`.execute(transaction);
}
