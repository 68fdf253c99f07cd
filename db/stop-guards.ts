/**
 * What holds all stopping and terminating back: the stop switch of the whole system or of a client, and the cap on how
 * many machines of a client are ended in an hour.
 */
import { sql } from 'kysely';
import type { Db } from './connect';

export const SYSTEM = 'system';

export interface StopSwitch {
  /** `system`, or a client's id behind `client:`. */
  scope: string;
  reason: string;
  setBy: string;
  setAt: Date;
}

export function scopeOf(clientId: string | null): string {
  return clientId === null ? SYSTEM : `client:${clientId}`;
}

/** The switch that holds this client's machines: its own or the system's; null when neither is set. */
export async function stopSwitchFor(db: Db, clientId: string): Promise<StopSwitch | null> {
  const row = await db
    .selectFrom('stop_switches')
    .selectAll()
    .where('scope', 'in', [SYSTEM, scopeOf(clientId)])
    .orderBy('set_at')
    .limit(1)
    .executeTakeFirst();
  return row ? { scope: row.scope, reason: row.reason, setBy: row.set_by, setAt: row.set_at } : null;
}

export interface TerminationCap {
  /** How long an attempt counts; an hour, divided by the speed of a demo. */
  windowSeconds: number;
  share: number;
  atLeast: number;
}

export const TERMINATION_CAP: TerminationCap = { windowSeconds: 3_600, share: 0.1, atLeast: 5 };

/**
 * Takes the room that the end of an instance needs under the cap, in one step with the count; `look` takes none. A repeat
 * for the same instance takes no more room.
 * @returns null, or why not.
 */
export function reserveTermination(
  db: Db,
  clientId: string,
  instanceId: string,
  cap: TerminationCap,
  how: 'look' | 'take' = 'take',
): Promise<string | null> {
  return db.transaction().execute(async (transaction) => {
    await sql`select pg_advisory_xact_lock(hashtext('terminations'), hashtext(${clientId}))`.execute(
      transaction,
    );
    const { rows } = await sql<{ recent: number; all: number; share: number | null; atLeast: number | null }>`
      select count(*) filter (where end_reserved_at > now() - make_interval(secs => ${cap.windowSeconds})
          and id <> ${instanceId})::int as recent,
        count(*) filter (where instance_status <> 'terminated'
          or terminated_at > now() - make_interval(secs => ${cap.windowSeconds}))::int as "all",
        (select (policy->>'terminationCapShare')::float8 from clients where id = ${clientId}) as share,
        (select (policy->>'terminationCapAtLeast')::int from clients where id = ${clientId}) as "atLeast"
      from instances where client_id = ${clientId}`.execute(transaction);
    const counted = rows[0] ?? { recent: 0, all: 0, share: null, atLeast: null };
    const most = Math.max(
      counted.atLeast ?? cap.atLeast,
      Math.floor((counted.share ?? cap.share) * counted.all),
    );
    if (counted.recent >= most) {
      return `${counted.recent} of the client's ${counted.all} machines were ended within the last ${Math.round(cap.windowSeconds)} s, and its cap is ${most}`;
    }
    if (how === 'take') {
      await transaction
        .updateTable('instances')
        .set({ end_reserved_at: sql`now()` })
        .where('client_id', '=', clientId)
        .where('id', '=', instanceId)
        .execute();
    }
    return null;
  });
}

/**
 * Gives the room back that was taken for an end which is none of ours.
 * @param which `unasked`: only if EC2 wasn't asked for the end since it was taken.
 */
export async function releaseTermination(
  db: Db,
  clientId: string,
  instanceId: string,
  which: 'refused' | 'unasked',
): Promise<void> {
  await db
    .updateTable('instances')
    .set({ end_reserved_at: null })
    .where('client_id', '=', clientId)
    .where('id', '=', instanceId)
    .$if(which === 'unasked', (query) =>
      query.where(sql<boolean>`(termination_attempted_at >= end_reserved_at) is not true`),
    )
    .execute();
}
