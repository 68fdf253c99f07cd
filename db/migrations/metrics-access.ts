/** The role that counts for Prometheus: it reads every client's agents, and nothing that a person has written. */
export const METRICS_ACCESS = `
do $$
begin
  begin
    if not exists (select from pg_roles where rolname = 'spotkeeper_metrics') then
      create role spotkeeper_metrics nologin;
    end if;
  exception when duplicate_object or unique_violation then
    raise notice 'role spotkeeper_metrics was made at the same time by another migration';
  end;
  if not pg_has_role(current_user, 'spotkeeper_metrics', 'set') then
    grant spotkeeper_metrics to current_user;
  end if;
end $$;
grant usage on schema public to spotkeeper_metrics;

grant select (id, client_id, logical_agent_id, status, primary_instance_id, instance_type, mode, az, region, account_id,
    protected, keep_alive_until, hibernation, updated_at) on agents to spotkeeper_metrics;
grant select (agent_id, instance_id, role, heartbeat_interval_seconds) on instance_standing to spotkeeper_metrics;
grant select on leases, price_book, instance_stops, sweep_runs, sample_tables, sample_parts to spotkeeper_metrics;
grant select (scope, client_id, set_at) on stop_switches to spotkeeper_metrics;
grant select (client_id, began_at, closed_at) on mass_silences to spotkeeper_metrics;
grant select (id, event_type, severity, details, created_at) on system_events to spotkeeper_metrics;
grant select (id, kind) on notification_channels to spotkeeper_metrics;
grant select (channel_id, status, created_at) on notification_deliveries to spotkeeper_metrics;

do $$
declare
  name text;
begin
  foreach name in array array['agents', 'instance_standing', 'leases', 'instance_stops',
    'stop_switches', 'mass_silences', 'system_events', 'notification_channels', 'notification_deliveries'] loop
    execute format('create policy all_for_metrics on %I for select to spotkeeper_metrics using (true)', name);
  end loop;
end $$;
`;
