/**
 * What has been, and is forgotten after a while. The workers may not delete it: they are lent functions that delete only
 * what is old, at most so many rows at a time.
 */
export const HISTORY_PRUNING = `
-- By severity, since each is kept for another time.
create index system_events_info_by_time on system_events (created_at) where severity = 'info';
create index system_events_alerts_by_time on system_events (created_at) where severity <> 'info';
create index notification_deliveries_ended on notification_deliveries (created_at) where status <> 'pending';
create index notifications_closed on notifications (closed_at) where closed_at is not null;
-- What refers to an event goes with it, and is found by it.
create index notification_queue_of_event on notification_queue (event_id);
create index notification_events_of_event on notification_events (event_id);
create index notification_tellings_of_event on notification_tellings (event_id);

create function refuse_short_retention(days integer) returns void language plpgsql as $$
begin
  if days is null or days < 1 then raise exception 'what happened is kept for a day at least, not for %', days; end if;
end $$;

-- Each returns how many it deleted.
create function prune_events(info_days integer, alert_days integer, most integer) returns integer
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  pruned integer;
begin
  perform refuse_short_retention(info_days);
  perform refuse_short_retention(alert_days);
  with old as (
    (select id from system_events where severity = 'info' and created_at < now() - make_interval(days => info_days)
      order by created_at limit most)
    union all
    (select id from system_events where severity <> 'info' and created_at < now() - make_interval(days => alert_days)
      order by created_at limit most)
    limit most
  )
  delete from system_events where id in (select id from old);
  get diagnostics pruned = row_count;
  return pruned;
end $$;

-- Messages that were delivered or given up, by when they were made. What was told stays noted while its group is open,
-- so that no event of it is told twice.
create function prune_deliveries(days integer, most integer) returns integer
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  pruned integer;
begin
  perform refuse_short_retention(days);
  delete from notification_deliveries where id in (
    select id from notification_deliveries ended
    where status <> 'pending' and created_at < now() - make_interval(days => prune_deliveries.days)
      and not exists (select from notification_tellings told
        join notification_events member on member.audience = ended.audience and member.event_id = told.event_id
        join notifications notification on notification.id = member.notification_id
        where told.delivery_id = ended.id and notification.closed_at is null)
    order by created_at limit most);
  get diagnostics pruned = row_count;
  return pruned;
end $$;

create function prune_notifications(days integer, most integer) returns integer
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  pruned integer;
begin
  perform refuse_short_retention(days);
  delete from notifications where id in (
    select id from notifications where closed_at < now() - make_interval(days => prune_notifications.days)
    order by closed_at limit most);
  get diagnostics pruned = row_count;
  return pruned;
end $$;

revoke execute on function prune_events, prune_deliveries, prune_notifications from public;
grant execute on function prune_events, prune_deliveries, prune_notifications to spotkeeper_worker;
`;
