/**
 * The samples that heartbeats leave: at full rate, in steps of 5 minutes, and in hours. Each table is partitioned by
 * time, so that what is too old goes by dropping a file; none has a foreign key, an update or a delete.
 *
 * - **part**: a partition of one of them, made ahead by `make_sample_parts` and named for when it starts.
 * - **the rest**: each table's default partition. It takes what no part is there for, so that a heartbeat never fails
 *   for want of one; the next run makes the missing part and moves its rows there.
 *
 * Making and dropping parts is the owner's right, lent to the workers by two functions.
 */
export const SAMPLE_TABLES = `
-- Columns in the order of their width: nothing is padded.
create table heartbeat_samples (
  received_at timestamptz not null default now(),
  -- Of the row in leases: which agent, instance and client.
  lease_id bigint not null,
  -- Of the busiest GPU. Null is unknown, here and below.
  gpu_utilization_percent real,
  vram_used_gb real,
  cpu_utilization_percent real,
  ram_used_gb real,
  disk_used_gb real,
  uptime_seconds integer,
  -- Beats that were due since the one before and did not come.
  missed smallint not null default 0,
  -- False is a goodbye.
  online boolean not null,
  healthy boolean not null,
  -- Below the threshold of its agent's policy; null when the reading is unknown or idleness isn't watched.
  idle boolean,
  cost_accumulated numeric
) partition by range (received_at);
-- The time is left out: few enough rows of a lease are in one part, and equal keys are stored once.
create index heartbeat_samples_of_lease on heartbeat_samples (lease_id);
-- For the roll-up, which reads five minutes of everyone.
create index heartbeat_samples_by_time on heartbeat_samples using brin (received_at)
  with (pages_per_range = 32, autosummarize = on);

create table heartbeat_samples_5m (
  starts_at timestamptz not null,
  lease_id bigint not null,
  samples integer not null,
  missed integer not null,
  unhealthy_samples integer not null,
  idle_samples integer not null,
  -- Those whose GPU reading is known; the averages leave out what is unknown.
  gpu_samples integer not null,
  gpu_utilization_avg real,
  gpu_utilization_max real,
  vram_used_gb_avg real,
  cpu_utilization_avg real,
  ram_used_gb_avg real,
  disk_used_gb_max real,
  cost_accumulated numeric,
  primary key (lease_id, starts_at)
) partition by range (starts_at);

create table heartbeat_samples_1h (like heartbeat_samples_5m including all) partition by range (starts_at);

create table heartbeat_samples_rest partition of heartbeat_samples default;
create table heartbeat_samples_5m_rest partition of heartbeat_samples_5m default;
create table heartbeat_samples_1h_rest partition of heartbeat_samples_1h default;

create table sample_tables (
  name text primary key,
  time_column text not null,
  -- What one part spans.
  span interval not null
);
insert into sample_tables values
  ('heartbeat_samples', 'received_at', interval '1 hour'),
  ('heartbeat_samples_5m', 'starts_at', interval '1 day'),
  ('heartbeat_samples_1h', 'starts_at', interval '7 days');

-- How far the roll-up into each table has come.
create table sample_rollups (
  name text primary key,
  done_until timestamptz not null
);

create function make_sample_part(parent text, time_column text, span interval, starts timestamptz) returns boolean
language plpgsql set search_path = public, pg_temp as $$
declare
  part text := parent || to_char(starts at time zone 'utc', '"_"YYYYMMDD"t"HH24');
begin
  if to_regclass(part) is not null then return false; end if;
  execute format('create table %I (like %I including defaults including constraints)', part, parent);
  -- Nothing in it is ever updated, and it is dropped long before it would have to be frozen.
  execute format('alter table %I set (autovacuum_vacuum_insert_threshold = -1)', part);
  execute format('alter table %I enable row level security', part);
  -- Whoever writes into the rest at this moment is waited for, briefly: the caller has set lock_timeout.
  execute format('lock table %I in access exclusive mode', parent || '_rest');
  execute format('with moved as (delete from %I where %I >= %L and %I < %L returning *) insert into %I select * from moved',
    parent || '_rest', time_column, starts, time_column, starts + span, part);
  execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent, part, starts, starts + span);
  return true;
end $$;

-- Makes the parts for now and some to come, and those for rows that lie in the rest. Returns how many it made.
create function make_sample_parts(ahead integer default 6) returns integer
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  kind sample_tables;
  starts timestamptz;
  made integer := 0;
begin
  for kind in select * from sample_tables loop
    for starts in execute format(
      'select date_bin($1, now(), $2) + $1 * step from generate_series(0, $3) as step
       union select distinct date_bin($1, %I, $2) from %I', kind.time_column, kind.name || '_rest')
      using kind.span, timestamptz '2001-01-01 00:00:00+00', ahead
    loop
      if make_sample_part(kind.name, kind.time_column, kind.span, starts) then made := made + 1; end if;
    end loop;
  end loop;
  return made;
end $$;

-- Drops one part, by its name. The rest can't be named.
create function drop_sample_part(part text) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  parent text;
begin
  select inhparent::regclass::text into parent from pg_inherits
  where inhrelid = to_regclass(part) and inhparent::regclass::text in (select name from sample_tables)
    and part !~ '_rest$';
  if parent is null then raise exception '% is no part of the samples', part; end if;
  execute format('drop table %I', part);
end $$;

-- The parts there are, oldest first, with their size and span.
create view sample_parts with (security_invoker = on) as
  select kind.name as parent, part.relname::text as part, starts.at as starts_at, starts.at + kind.span as ends_at,
    pg_total_relation_size(part.oid) as bytes
  from sample_tables kind
  join pg_inherits on inhparent = kind.name::regclass
  join pg_class part on part.oid = inhrelid and part.relname !~ '_rest$',
  lateral (select (substr(right(part.relname::text, 11), 1, 8) || ' ' || right(part.relname::text, 2) || ':00')::timestamp
    at time zone 'utc' as at) starts
  order by kind.name, starts.at;

revoke execute on function make_sample_part, make_sample_parts, drop_sample_part from public;
`;

/** After the roles. A lease shows whose a sample is; asked a row, and never by reading all leases of the client. */
export const SAMPLE_ACCESS = `
grant insert on heartbeat_samples to spotkeeper_ingest;
grant select on heartbeat_samples, heartbeat_samples_5m, heartbeat_samples_1h to spotkeeper_api, spotkeeper_worker;
grant insert, update on heartbeat_samples_5m, heartbeat_samples_1h, sample_rollups to spotkeeper_worker;
grant select on sample_tables, sample_rollups, sample_parts to spotkeeper_worker;
grant select on sample_rollups to spotkeeper_api;
grant execute on function make_sample_parts, drop_sample_part to spotkeeper_worker;

do $$
declare
  name text;
begin
  foreach name in array array['heartbeat_samples', 'heartbeat_samples_5m', 'heartbeat_samples_1h'] loop
    -- Not forced: the owner's functions above move rows.
    execute format('alter table %I enable row level security', name);
    execute format('alter table %I enable row level security', name || '_rest');
    execute format('create policy all_for_worker on %I to spotkeeper_worker using (true) with check (true)', name);
    execute format('create policy own_client on %I for select to spotkeeper_api
      using (request_client() = (select client_id from leases where id = lease_id))', name);
  end loop;
end $$;
create policy all_for_ingest on heartbeat_samples for insert to spotkeeper_ingest with check (true);

select make_sample_parts();
`;
