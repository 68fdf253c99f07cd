/** What machines cost: the prices in force, and the times in which a machine was stopped and cost nothing. */
export const PRICE_TABLES = `
-- A row a change. A price holds from its time until the next row's of the same pool.
create table price_book (
  -- The same zone name is another place in another account.
  account_id text not null,
  region text not null,
  instance_type text not null,
  mode text not null check (mode in ('spot', 'ondemand')),
  -- Empty for on-demand prices, which hold in the whole region.
  zone text not null check ((zone = '') = (mode = 'ondemand')),
  held_from timestamptz not null,
  usd_per_hour numeric not null check (usd_per_hour >= 0),
  primary key (account_id, region, instance_type, mode, zone, held_from)
);

-- Up to when the price watch has asked for a type's prices.
create table price_watch (
  account_id text not null,
  region text not null,
  instance_type text not null,
  spot_until timestamptz,
  ondemand_at timestamptz,
  primary key (account_id, region, instance_type)
);

create table instance_stops (
  client_id text not null references clients (id),
  instance_id text not null,
  stopped_at timestamptz not null,
  -- Null while it is stopped.
  started_at timestamptz,
  -- When EC2 was asked to stop it, after which it owes no heartbeat; null for one that was found stopped.
  asked_at timestamptz,
  primary key (client_id, instance_id, stopped_at)
);
create unique index instance_stops_open on instance_stops (client_id, instance_id) where started_at is null;

create function range_seconds(span tstzrange) returns numeric language sql immutable
  return extract(epoch from upper(span) - lower(span));

grant select on price_book, instance_stops to spotkeeper_api, spotkeeper_worker;
-- A machine that was stopped has missed no heartbeat.
grant select on instance_stops to spotkeeper_ingest;
grant insert on price_book to spotkeeper_worker;
grant select, insert, update on price_watch to spotkeeper_worker;
grant insert, update on instance_stops to spotkeeper_worker;

alter table instance_stops enable row level security;
alter table instance_stops force row level security;
create policy all_for_worker on instance_stops to spotkeeper_worker using (true) with check (true);
create policy all_for_ingest on instance_stops for select to spotkeeper_ingest using (true);
create policy own_client on instance_stops for select to spotkeeper_api using (client_id = request_client());
`;
