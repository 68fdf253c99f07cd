/** The stop switches as people set them; who may is the row policies' to say. */
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
  await transaction
    .insertInto('stop_switches')
    .values({ scope: scopeOf(clientId), client_id: clientId, reason, set_by: setBy })
    .onConflict((conflict) => conflict.column('scope').doNothing())
    .execute();
}

export async function liftStopSwitch(transaction: Db, clientId: string | null): Promise<void> {
  await transaction.deleteFrom('stop_switches').where('scope', '=', scopeOf(clientId)).execute();
}
