/** What machines cost, by the prices in force while they ran. Sums are numeric in the database, never floats. */
import { sql } from 'kysely';
import type { Db } from './connect';

/**
 * Dollars since midnight UTC as decimal text, of each of a client's machines that are in the books; null where a price
 * that held while it ran isn't known.
 * @param transaction in the client's scope.
 */
export async function costsToday(
  transaction: Db,
  clientId: string,
  instanceIds: readonly string[],
): Promise<Map<string, string | null>> {
  if (instanceIds.length === 0) return new Map();
  const found = await sql<{ instance_id: string; cost: string | null }>`
    with today as materialized (
      select date_trunc('day', now() at time zone 'utc') at time zone 'utc' as starts_at, now() as ends_at
    ),
    machine as materialized (
      select id, account_id, region, instance_type, mode, case mode when 'ondemand' then '' else az end as zone,
        tstzrange(greatest(created_at, starts_at), greatest(created_at, starts_at, least(terminated_at, ends_at))) as present
      from instances, today
      where client_id = ${clientId} and id = any(${instanceIds})
    ),
    stopped as (
      select instance_id, range_agg(tstzrange(stopped_at, started_at)) as times
      from instance_stops, today
      where client_id = ${clientId} and instance_id = any(${instanceIds})
        and (started_at is null or started_at > starts_at)
      group by instance_id
    ),
    -- Machines of one pool that ran for the same time, which most of them did all day: what that costs is summed once.
    stay as materialized (
      select row_number() over () as number, account_id, region, instance_type, mode, zone, piece, array_agg(id) as ids
      from machine
      left join stopped on stopped.instance_id = machine.id,
      unnest(tstzmultirange(present) - coalesce(times, '{}')) as piece
      group by account_id, region, instance_type, mode, zone, piece
    ),
    pool as materialized (
      select *, coalesce((
        select max(held_from) from price_book book
        where book.account_id = pool.account_id and book.region = pool.region and book.zone = pool.zone
          and book.instance_type = pool.instance_type and book.mode = pool.mode
          and held_from <= (select starts_at from today)), '-infinity') as since
      from (select distinct account_id, region, instance_type, mode, zone from stay) pool
    ),
    price as materialized (
      select pool.*, usd_per_hour, tstzrange(held_from, lead(held_from) over (
        partition by pool.account_id, pool.region, pool.instance_type, pool.mode, pool.zone order by held_from)) as held
      from pool,
      -- A limit that no market reaches has the book read by its index, a pool at a time.
      lateral (
        select held_from, usd_per_hour from price_book book
        where book.account_id = pool.account_id and book.region = pool.region and book.zone = pool.zone
          and book.instance_type = pool.instance_type and book.mode = pool.mode and held_from >= since
        order by held_from limit 100000
      ) book
    ),
    paid as (
      select ids, piece, sum(range_seconds(piece * held)) as priced_seconds,
        sum(range_seconds(piece * held) * usd_per_hour) / 3600 as cost
      from stay left join price
        on (price.account_id, price.region, price.instance_type, price.mode, price.zone)
          = (stay.account_id, stay.region, stay.instance_type, stay.mode, stay.zone) and piece && held
      group by stay.number, ids, piece
    )
    select machine.id as instance_id,
      case when count(piece) = 0 then 0
        when sum(range_seconds(piece)) = sum(priced_seconds) then round(sum(cost), 6) end::text as cost
    -- Machines lead to what they paid by a hash: nothing is compared with everything, whenever they were launched.
    from machine left join (select unnest(ids) as id, piece, priced_seconds, cost from paid) run on run.id = machine.id
    group by machine.id`.execute(transaction);
  return new Map(found.rows.map((row) => [row.instance_id, row.cost]));
}
