/** The part of the first schema that tells people what happened. Who writes which table is said in `../schema.ts`. */

export const NOTIFICATION_TABLES = `
create table notification_channels (
  id uuid primary key default gen_random_uuid(),
  -- Null for one of the whole system's, which hears of every client.
  client_id text references clients (id),
  audience text not null generated always as (coalesce(client_id, '*')) stored,
  kind text not null check (kind in ('slack', 'email', 'webhook')),
  name text not null,
  -- A webhook's address is a credential, so the API writes it and can't read it.
  target text not null,
  shown_target text not null,
  secret text,
  minimum_severity text not null check (minimum_severity in ('info', 'warning', 'critical')),
  event_types text[] not null default '{}',
  messages_per_hour integer not null check (messages_per_hour between 1 and 3600),
  enabled boolean not null default true,
  -- Nothing that happened before is told.
  told_from timestamptz not null default now(),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  unique (id, audience),
  check (deleted_at is not null or (kind = 'webhook') = (secret is not null)),
  check (deleted_at is null or (target = '' and secret is null and not enabled))
);
create index notification_channels_of_audience on notification_channels (audience) where deleted_at is null;

create table notification_queue (
  id bigint generated always as identity primary key,
  audience text not null,
  event_id bigint not null references system_events (id) on delete cascade,
  unique (audience, event_id)
);

create table notification_audiences (
  audience text primary key,
  announced_id bigint not null,
  announced_at timestamptz not null
);

create table notifications (
  id bigint generated always as identity primary key,
  audience text not null,
  group_key text not null,
  severity text not null,
  -- Null in the group that takes in whatever comes when there are too many groups.
  event_type text,
  zone text,
  region text,
  cause text,
  events integer not null,
  first_event_at timestamptz not null,
  last_event_at timestamptz not null,
  closed_at timestamptz,
  unique (id, audience)
);
create unique index notifications_open on notifications (audience, group_key) where closed_at is null;

create table notification_events (
  audience text not null,
  event_id bigint not null references system_events (id) on delete cascade,
  notification_id bigint not null,
  primary key (audience, event_id),
  foreign key (notification_id, audience) references notifications (id, audience) on delete cascade
);
create index notification_events_of_notification on notification_events (notification_id);

create table notification_deliveries (
  id uuid primary key,
  audience text not null,
  channel_id uuid not null,
  kind text not null check (kind in ('events', 'test')),
  status text not null default 'pending' check (status in ('pending', 'delivered', 'failed', 'cancelled')),
  -- As it was composed, so that every attempt says the same.
  message jsonb not null,
  events integer not null,
  attempts integer not null default 0,
  last_error text,
  response_status integer,
  created_at timestamptz not null default now(),
  last_attempt_at timestamptz,
  delivered_at timestamptz,
  foreign key (channel_id, audience) references notification_channels (id, audience),
  check ((status = 'delivered') = (delivered_at is not null))
);
create index notification_deliveries_of_channel on notification_deliveries (channel_id, created_at);

create table notification_tellings (
  channel_id uuid not null references notification_channels (id),
  event_id bigint not null references system_events (id) on delete cascade,
  delivery_id uuid not null references notification_deliveries (id) on delete cascade,
  primary key (channel_id, event_id)
);
create index notification_tellings_of_delivery on notification_tellings (delivery_id);

create function wants_event(minimum_severity text, event_types text[], severity text, event_type text)
  returns boolean language sql immutable as $$
  select array_position(array['info', 'warning', 'critical'], severity)
      >= array_position(array['info', 'warning', 'critical'], minimum_severity)
    or event_type = any (event_types)
$$;

-- In the transaction that makes an event, it is put before those who want to hear of it. A channel isn't told that it
-- fails by way of itself. Whoever may write an event need not see the channels.
create function queue_notification() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  insert into notification_queue (audience, event_id)
  select distinct channel.audience, new.id from notification_channels channel
  where channel.audience in (new.client_id, '*') and channel.enabled
    and wants_event(channel.minimum_severity, channel.event_types, new.severity, new.event_type)
    and channel.id::text is distinct from new.details ->> 'failedChannelId';
  return null;
end $$;
create trigger queue_notification after insert on system_events
  for each row execute function queue_notification();

grant select (id, client_id, audience, kind, name, shown_target, minimum_severity, event_types, messages_per_hour,
    enabled, told_from, created_at, updated_at, deleted_at)
  on notification_channels to spotkeeper_api;
grant insert, update on notification_channels to spotkeeper_api;
grant select on notifications, notification_events, notification_deliveries to spotkeeper_api;

grant select on notification_channels to spotkeeper_worker;
grant select, insert, update, delete on notification_queue to spotkeeper_worker;
grant select, insert, update on notification_audiences, notifications, notification_deliveries to spotkeeper_worker;
grant select, insert on notification_events, notification_tellings to spotkeeper_worker;

do $$
declare
  name text;
begin
  foreach name in array array['notification_channels', 'notification_queue', 'notification_audiences', 'notifications',
    'notification_events', 'notification_deliveries', 'notification_tellings'] loop
    execute format('alter table %I enable row level security', name);
    execute format('alter table %I force row level security', name);
    execute format('create policy all_for_worker on %I to spotkeeper_worker using (true) with check (true)', name);
  end loop;
  foreach name in array array['notification_channels', 'notifications', 'notification_events',
    'notification_deliveries'] loop
    execute format('create policy own_client on %I to spotkeeper_api
      using (audience = request_client() or request_is_admin())
      with check (audience = request_client() or request_is_admin())', name);
  end loop;
end $$;
`;
