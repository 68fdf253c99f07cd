/** Prices as they changed. What is written twice is there once. */
import { sql } from 'kysely';
import type { PurchaseOption } from '../contracts/states';
import type { Db } from './connect';

export interface AccountRegion {
  accountId: string;
  region: string;
}

/** What the price watch has yet to ask of a type. */
export interface WatchedType {
  instanceType: string;
  /** Spot prices are known up to then; for a type that is new, from the beginning of the day in UTC. */
  spotFrom: Date;
  /** Whether its on-demand price was not asked for half a day. */
  asksOnDemand: boolean;
}

export interface PricePoint {
  instanceType: string;
  mode: PurchaseOption;
  /** Null for on-demand prices, which hold in the whole region. */
  zone: string | null;
  heldFrom: Date;
  /** Decimal text. */
  usdPerHour: string;
}

/** The types of the machines that ran today, and now by the database's clock. */
export async function watchedTypes(
  db: Db,
  { accountId, region }: AccountRegion,
): Promise<{ types: WatchedType[]; now: Date }> {
  const found = await sql<{ instance_type: string | null; spot_from: Date; asks: boolean; now: Date }>`
    with today as (select date_trunc('day', now() at time zone 'utc') at time zone 'utc' as starts_at)
    select used.instance_type, now() as now,
      -- AWS shows a change some minutes after it.
      coalesce(watch.spot_until - interval '1 hour', starts_at) as spot_from,
      coalesce(watch.ondemand_at < now() - interval '12 hours', true) as asks
    from today left join (
      select distinct instance_type from instances, today
      where account_id = ${accountId} and region = ${region}
        and (terminated_at is null or terminated_at > starts_at)
    ) used on true
    left join price_watch watch on watch.account_id = ${accountId} and watch.region = ${region}
      and watch.instance_type = used.instance_type
    order by used.instance_type`.execute(db);
  return {
    now: found.rows[0]?.now ?? new Date(),
    types: found.rows.flatMap((row) =>
      row.instance_type === null
        ? []
        : [{ instanceType: row.instance_type, spotFrom: row.spot_from, asksOnDemand: row.asks }],
    ),
  };
}

/**
 * Notes prices and how far they were asked for, in one transaction.
 * @returns how many were new.
 */
export function writePrices(
  db: Db,
  { accountId, region }: AccountRegion,
  asked: { instanceType: string; mode: PurchaseOption; until: Date },
  points: readonly PricePoint[],
): Promise<number> {
  return db.transaction().execute(async (transaction) => {
    let added = 0;
    for (const { instanceType, mode, zone, heldFrom, usdPerHour } of points) {
      const key = [accountId, region, instanceType, mode, zone ?? ''].map((part) => sql`${part}`);
      const written = await sql`
        insert into price_book (account_id, region, instance_type, mode, zone, held_from, usd_per_hour)
        select ${sql.join(key)}, ${heldFrom}, ${usdPerHour}::numeric
        -- A price that held already is no change.
        where (
          select usd_per_hour from price_book
          where (account_id, region, instance_type, mode, zone) = (${sql.join(key)}) and held_from <= ${heldFrom}
          order by held_from desc limit 1
        ) is distinct from ${usdPerHour}::numeric
        on conflict do nothing`.execute(transaction);
      added += Number(written.numAffectedRows ?? 0);
    }
    const column = sql.ref(asked.mode === 'spot' ? 'spot_until' : 'ondemand_at');
    await sql`
      insert into price_watch (account_id, region, instance_type, ${column})
      values (${accountId}, ${region}, ${asked.instanceType}, ${asked.until})
      on conflict (account_id, region, instance_type) do update set ${column} = excluded.${column}`.execute(
      transaction,
    );
    return added;
  });
}

/** Whether the book has an on-demand price of the type. */
export async function knowsOnDemandPrice(
  db: Db,
  { accountId, region }: AccountRegion,
  instanceType: string,
): Promise<boolean> {
  const row = await db
    .selectFrom('price_book')
    .select('held_from')
    .where('account_id', '=', accountId)
    .where('region', '=', region)
    .where('instance_type', '=', instanceType)
    .where('mode', '=', 'ondemand')
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}
