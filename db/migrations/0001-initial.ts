/** The first schema. Who writes which table is said in `../schema.ts`; the grants below enforce it. */
import { type Kysely, sql } from 'kysely';
import { HISTORY_PRUNING } from './history-pruning';
import { METRICS_ACCESS } from './metrics-access';
import { NOTIFICATION_TABLES } from './notification-tables';
import { PRICE_TABLES } from './price-tables';
import { SAMPLE_ACCESS, SAMPLE_TABLES } from './sample-tables';

const TABLES = `
create table clients (
  id text primary key,
  name text not null,
  policy jsonb not null default '{}',
  created_at timestamptz not null default now()
);

create table tokens (
  id uuid primary key default gen_random_uuid(),
  token_hash bytea not null unique,
  kind text not null check (kind in ('admin', 'client', 'user', 'agent')),
  client_id text references clients (id),
  can_act boolean not null default true,
  agent_id text,
  instance_id text,
  incarnation integer,
  label text,
  created_at timestamptz not null default now(),
  revoked_at timestamptz,
  check ((kind = 'admin') = (client_id is null)),
  check ((kind = 'agent') = (agent_id is not null and instance_id is not null and incarnation is not null))
);
create index tokens_of_agent on tokens (agent_id, instance_id) where kind = 'agent' and revoked_at is null;

create table agent_identities (
  agent_id text primary key,
  client_id text not null references clients (id),
  logical_agent_id text not null,
  generation integer not null default 1,
  created_at timestamptz not null default now(),
  unique (client_id, logical_agent_id, generation)
);

create table agents (
  id text primary key,
  client_id text not null references clients (id),
  logical_agent_id text not null,
  status text not null check (status in ('online','silent','orphaned','offline','hibernating','hibernated','deleted')),
  health text not null check (health in ('healthy', 'unhealthy')),
  incarnation integer not null,
  primary_instance_id text,
  no_primary_reason text,
  instance_type text,
  mode text,
  az text,
  region text,
  account_id text,
  auto_terminate_enabled boolean not null default true,
  auto_switch_enabled boolean not null default true,
  replica_mode text not null default 'none' check (replica_mode in ('none', 'manual', 'automatic')),
  terminate_wait_seconds integer not null,
  keep_alive_until timestamptz,
  protected boolean not null default false,
  -- How it is, or is being, put to rest.
  hibernation jsonb,
  active_switch text,
  revision bigint not null,
  -- Where in its workflow's story it was published.
  history_position bigint not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  -- What people search by a part of it.
  search_text text not null generated always as
    (lower(logical_agent_id || ' ' || id || ' ' || coalesce(primary_instance_id, ''))) stored
);
create index agents_of_client on agents (client_id, id) include (search_text) where status <> 'deleted';
create index agents_by_instance on agents (client_id, primary_instance_id) include (search_text)
  where status <> 'deleted';
create index agents_by_status on agents (client_id, status, id);
create index agents_by_zone on agents (client_id, az, id);
create index agents_by_region on agents (client_id, region, id);
create index agents_by_mode on agents (client_id, mode, id);
create index agents_unwell on agents (client_id, id)
  where health = 'unhealthy' or status in ('silent', 'orphaned');
create index agents_deleted on agents (client_id, deleted_at, id) where status = 'deleted';
create index agents_on_instance on agents (primary_instance_id);

create table instances (
  client_id text not null references clients (id),
  id text not null,
  -- The sources' queries know it by both names.
  instance_id text not null generated always as (id) stored,
  agent_id text not null,
  instance_type text not null,
  az text not null,
  region text not null,
  account_id text not null,
  mode text not null,
  ami_id text,
  hostname text,
  private_ip text,
  public_ip text,
  agent_version text,
  instance_status text not null
    check (instance_status in ('launching','running','primary','zombie','terminating','terminated')),
  incarnation integer,
  launch_id text,
  registered_at timestamptz,
  zombie_since timestamptz,
  seen_at timestamptz,
  kept boolean not null default false,
  termination_attempted_at timestamptz,
  -- When room for its end was taken under the cap on terminations.
  end_reserved_at timestamptz,
  termination_confirmed boolean not null default false,
  terminated_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (client_id, id),
  check (not termination_confirmed or (instance_status = 'terminated' and terminated_at is not null))
);
create index instances_of_agent on instances (agent_id);
create index instances_living on instances (client_id, id) where instance_status <> 'terminated';
create index instances_by_id on instances (id);

create table replica_instances (
  -- The agent's, and how many replicas it had by then.
  id text primary key,
  client_id text not null references clients (id),
  agent_id text not null,
  instance_id text,
  replica_type text not null check (replica_type in ('manual', 'automatic')),
  instance_status text not null
    check (instance_status in ('launching','syncing','ready','promoted','terminating','terminated','failed')),
  sync_status text,
  sync_latency_ms integer,
  state_transfer_progress numeric(5, 2),
  last_sync_at timestamptz,
  -- The incarnation whose state it reported.
  synced_with integer,
  -- Whether the workflow was told that it could take over, and how often that has changed.
  sync_ready boolean not null default false,
  sync_revision bigint not null default 0,
  instance_type text,
  az text,
  mode text,
  launch_id text,
  message text,
  created_at timestamptz not null default now(),
  ready_at timestamptz,
  promoted_at timestamptz,
  termination_attempted_at timestamptz,
  termination_confirmed boolean not null default false,
  terminated_at timestamptz,
  updated_at timestamptz not null default now()
);
create index replica_instances_of_agent on replica_instances (agent_id);
create index replica_instances_on_instance on replica_instances (client_id, instance_id);
create index replica_instances_in_sync on replica_instances (last_sync_at) where sync_ready;

create table launch_intents (
  launch_id text primary key,
  client_id text not null references clients (id),
  agent_id text not null,
  logical_agent_id text not null,
  -- What it is for: one of both.
  switch_number integer,
  replica_id text,
  attempt integer not null,
  account_id text not null,
  region text not null,
  instance_type text not null,
  az text not null,
  mode text not null,
  image_id text not null,
  client_token text not null unique,
  user_data text not null,
  outcome text not null default 'pending' check (outcome in ('pending', 'launched', 'no_capacity', 'failed')),
  instance_id text,
  error text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check ((switch_number is null) <> (replica_id is null)),
  unique (agent_id, switch_number, attempt),
  unique (replica_id, attempt)
);

create table system_events (
  id bigint generated always as identity primary key,
  event_key text not null unique,
  client_id text not null references clients (id),
  agent_id text,
  instance_id text,
  event_type text not null,
  severity text not null check (severity in ('info', 'warning', 'critical')),
  message text not null,
  details jsonb not null default '{}',
  created_at timestamptz not null default now()
);
create index system_events_of_client on system_events (client_id, id);
create index system_events_of_agent on system_events (agent_id, id) where agent_id is not null;

create table instance_standing (
  agent_id text not null,
  instance_id text not null,
  client_id text not null references clients (id),
  role text not null check (role in ('primary', 'candidate', 'replica', 'superseded')),
  incarnation integer not null,
  current_incarnation integer not null,
  heartbeat_interval_seconds real not null,
  config_revision integer not null default 1,
  -- Null while idleness isn't watched.
  idle_threshold_percent real,
  idle_warning_seconds real,
  hibernation_due_at timestamptz,
  hibernation_reason text,
  revision bigint not null,
  primary key (agent_id, instance_id)
);
create index instance_standing_of_instance on instance_standing (client_id, instance_id);

create table leases (
  -- A short key for the samples.
  id bigint generated always as identity unique,
  agent_id text not null,
  instance_id text not null,
  client_id text not null,
  revision bigint not null,
  state text not null check (state in ('live', 'silent', 'offline')),
  health text not null,
  mode text,
  az text,
  gpu_utilization_percent real,
  -- As the agent itself reported it last.
  cost_accumulated numeric,
  -- Since when every sample was idle without a gap; and whether the workflow was told.
  idle_since timestamptz,
  idle_reported boolean not null default false,
  heartbeats bigint not null,
  missed_heartbeats bigint not null default 0,
  -- Those of them that were due right before the latest beat.
  missed_before smallint not null default 0,
  -- The revision of the latest beat that the workflow was told of.
  told_revision bigint not null default 0,
  first_heartbeat_at timestamptz not null,
  last_heartbeat_at timestamptz not null,
  lease_until timestamptz not null,
  primary key (agent_id, instance_id)
) with (fillfactor = 70);

create table outbox (
  id bigint generated always as identity primary key,
  client_id text not null,
  workflow_id text not null,
  signal text not null,
  payload jsonb not null,
  created_at timestamptz not null default now(),
  attempts integer not null default 0,
  -- After a failure of its own: not to be tried before.
  retry_at timestamptz,
  last_error text,
  undeliverable boolean not null default false
);
create index outbox_waiting on outbox (workflow_id, id) where not undeliverable;
create index outbox_undeliverable on outbox (created_at) where undeliverable;

-- While a row is there, nothing of its scope is stopped or ended: 'system', or 'client:<id>'.
create table stop_switches (
  scope text primary key,
  client_id text references clients (id),
  reason text not null,
  set_by text not null,
  set_at timestamptz not null default now(),
  check (scope = case when client_id is null then 'system' else 'client:' || client_id end)
);

create table sweep_runs (
  name text primary key,
  last_run_at timestamptz not null,
  -- Of the intake: since when its signs have come without a gap.
  unbroken_since timestamptz not null default now()
);

-- Most agents of a client, or (null) of the whole system, fell silent at once. Until it is closed, nothing is stopped for
-- that.
create table mass_silences (
  id bigint generated always as identity primary key,
  client_id text references clients (id),
  began_at timestamptz not null default now(),
  -- The latest sweep that lost agents to it.
  last_lost_at timestamptz not null default now(),
  agents integer not null,
  silent_agents integer not null,
  closed_at timestamptz,
  -- Who looked into it; null when all were heard again before.
  closed_by text,
  note text,
  -- Of the system's that somebody looked into: when the sweep told its agents.
  told_at timestamptz
);
create unique index mass_silences_open on mass_silences (coalesce(client_id, '*')) where closed_at is null;
create index mass_silences_of_client on mass_silences (client_id, id);

create function announce_system_event() returns trigger language plpgsql as $$
begin
  perform pg_notify('system_events', json_build_object('id', new.id::text, 'client_id', new.client_id)::text);
  return null;
end $$;
create trigger announce_system_event after insert on system_events
  for each row execute function announce_system_event();

-- A replica that waits for its call hears it at the commit.
create function announce_replica() returns trigger language plpgsql as $$
begin
  perform pg_notify('replicas', new.id);
  return null;
end $$;
create trigger announce_replica after update of instance_status on replica_instances
  for each row when (new.instance_status <> old.instance_status
    and new.instance_status in ('promoted', 'terminating', 'terminated', 'failed'))
  execute function announce_replica();

-- Whoever remembers a token as good hears at once that it isn't any more.
create function announce_token_revocation() returns trigger language plpgsql as $$
begin
  perform pg_notify('token_revocations', encode(old.token_hash, 'hex'));
  return null;
end $$;
create trigger announce_token_revocation after update of revoked_at on tokens
  for each row when (new.revoked_at is not null) execute function announce_token_revocation();
create trigger announce_token_removal after delete on tokens
  for each row execute function announce_token_revocation();
`;

/** Roles belong to the whole database server, so another database's migration may have made them already. */
const ROLES = `
do $$
declare
  name text;
begin
  foreach name in array array['spotkeeper_ingest', 'spotkeeper_api', 'spotkeeper_worker'] loop
    begin
      if not exists (select from pg_roles where rolname = name) then
        execute format('create role %I nologin', name);
      end if;
    exception when duplicate_object or unique_violation then
      raise notice 'role % was made at the same time by another migration', name;
    end;
    if not pg_has_role(current_user, name, 'set') then
      execute format('grant %I to current_user', name);
    end if;
    execute format('grant usage on schema public to %I', name);
  end loop;
end $$;

grant select on instance_standing to spotkeeper_ingest;
grant select, insert, update on leases to spotkeeper_ingest;
grant select, insert, update, delete on outbox to spotkeeper_ingest;
-- Whether the agent of a superseded instance was deleted.
grant select (id, deleted_at) on agents to spotkeeper_ingest;
-- The sign that heartbeats can be stored.
grant select, insert, update on sweep_runs to spotkeeper_ingest;

grant select on clients, tokens, agent_identities, agents, instances, replica_instances, launch_intents,
  system_events, instance_standing, leases to spotkeeper_api;
grant insert, update on clients, tokens, agent_identities to spotkeeper_api;
grant insert on outbox to spotkeeper_api;
-- A replica's agent says how its sync fares.
grant update (sync_status, sync_latency_ms, state_transfer_progress, last_sync_at, synced_with, sync_ready,
  sync_revision, message, updated_at) on replica_instances to spotkeeper_api;
grant select, insert, delete on stop_switches to spotkeeper_api;
-- What people do that no workflow hears of.
grant insert on system_events to spotkeeper_api;
grant select on stop_switches to spotkeeper_worker;
grant select, update (closed_at, closed_by, note) on mass_silences to spotkeeper_api;
grant select, insert, update on mass_silences to spotkeeper_worker;

grant select on clients, agent_identities, agents, instances, replica_instances, launch_intents, system_events,
  instance_standing, leases, outbox, sweep_runs to spotkeeper_worker;
grant insert, update on agents, instances, replica_instances, launch_intents, instance_standing, sweep_runs
  to spotkeeper_worker;
grant insert on system_events to spotkeeper_worker;
grant update on leases to spotkeeper_worker;
grant insert, update, delete on outbox to spotkeeper_worker;
`;

/** Each request's transaction names its client; the row policies show it nothing else. */
const ROW_SECURITY = `
create function request_client() returns text language sql stable as
  $$ select current_setting('spotkeeper.client_id', true) $$;
create function request_is_admin() returns boolean language sql stable as
  $$ select coalesce(current_setting('spotkeeper.scope', true), '') = 'admin' $$;
-- Hexadecimal, with commas between.
create function request_token_hashes() returns bytea[] language sql stable as
  $$ select array(select decode(hash, 'hex')
    from unnest(string_to_array(nullif(current_setting('spotkeeper.token_hashes', true), ''), ',')) as hash) $$;

do $$
declare
  name text;
begin
  foreach name in array array['clients', 'tokens', 'agent_identities', 'agents', 'instances', 'replica_instances',
    'launch_intents', 'system_events', 'instance_standing', 'leases', 'outbox'] loop
    execute format('alter table %I enable row level security', name);
    execute format('alter table %I force row level security', name);
    execute format('create policy all_for_worker on %I to spotkeeper_worker using (true) with check (true)', name);
  end loop;
  foreach name in array array['agent_identities', 'agents', 'instances', 'replica_instances', 'launch_intents',
    'system_events', 'instance_standing', 'leases', 'outbox'] loop
    execute format('create policy own_client on %I to spotkeeper_api using (client_id = request_client())
      with check (client_id = request_client())', name);
  end loop;
  foreach name in array array['instance_standing', 'leases', 'outbox'] loop
    execute format('create policy all_for_ingest on %I to spotkeeper_ingest using (true) with check (true)', name);
  end loop;
end $$;

alter table stop_switches enable row level security;
alter table stop_switches force row level security;
create policy all_for_worker on stop_switches to spotkeeper_worker using (true) with check (true);
-- Everyone sees the system's switch; only an administrator moves it.
create policy seen on stop_switches for select to spotkeeper_api
  using (client_id is null or client_id = request_client() or request_is_admin());
create policy set_own on stop_switches for insert to spotkeeper_api
  with check (client_id = request_client() or request_is_admin());
create policy lift_own on stop_switches for delete to spotkeeper_api
  using (client_id = request_client() or request_is_admin());

alter table mass_silences enable row level security;
alter table mass_silences force row level security;
create policy all_for_worker on mass_silences to spotkeeper_worker using (true) with check (true);
create policy own_client on mass_silences to spotkeeper_api
  using (client_id = request_client() or request_is_admin())
  with check (client_id = request_client() or (client_id is null and request_is_admin()));

create policy deleted_for_ingest on agents for select to spotkeeper_ingest using (true);
create policy own_client on clients to spotkeeper_api
  using (id = request_client() or request_is_admin()) with check (request_is_admin());
-- A token may be looked up by whoever holds it: its hash is named before its client is known.
create policy own_client on tokens to spotkeeper_api
  using (client_id = request_client() or token_hash = any ((select request_token_hashes())::bytea[])
    or request_is_admin())
  with check (client_id = request_client() or request_is_admin());
-- So may a launch, whose id is the credential of the instance that it made.
create policy by_launch_id on launch_intents for select to spotkeeper_api
  using (launch_id = nullif(current_setting('spotkeeper.launch_id', true), ''));
-- A registering instance may not be another client's: whoever names its id may learn that it is taken.
create policy by_instance_id on instances for select to spotkeeper_api
  using (id = nullif(current_setting('spotkeeper.instance_id', true), ''));
-- An administrator finds out whose an agent is and follows all clients' events; the rest needs a client's scope.
create policy read_by_admin on agent_identities for select to spotkeeper_api using (request_is_admin());
create policy read_by_admin on system_events for select to spotkeeper_api using (request_is_admin());
-- The system's switch concerns every client.
create policy told_by_admin on system_events for insert to spotkeeper_api with check (request_is_admin());
`;

export async function up(db: Kysely<unknown>): Promise<void> {
  const parts = [
    TABLES,
    ROLES,
    ROW_SECURITY,
    SAMPLE_TABLES,
    SAMPLE_ACCESS,
    PRICE_TABLES,
    NOTIFICATION_TABLES,
    HISTORY_PRUNING,
    METRICS_ACCESS,
  ];
  for (const part of parts) await sql.raw(part).execute(db);
}
