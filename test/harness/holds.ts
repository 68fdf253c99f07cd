/**
 * Holds one step of a switch where it is, by the simulated cloud or by the database, so that a test can kill a process
 * just there.
 */
import { Client } from 'pg';
import { type RunningAgent, System } from './system';
import { until } from './until';

export interface Hold {
  /** Resolves when the step has been reached. */
  reached: Promise<unknown>;
  release(): Promise<void>;
}

/** Holds the next call of an action at the cloud, before or after its effect. */
export function atCloud(system: System, action: string, kind: 'hang' | 'hang-after') {
  return async (): Promise<Hold> => {
    const calls = await system.callsSoFar();
    await system.control('faults', { action, kind });
    return {
      reached: system.callArrives(action, calls),
      release: async () => {
        await system.control('faults/release', {});
        await system.control('faults/clear', {});
      },
    };
  };
}

/** Holds the transaction that writes an event, or the launch intent, just before it would commit. */
export function atDatabase(system: System, eventType: string) {
  return async (): Promise<Hold> => {
    const holder = new Client({ connectionString: system.database.url });
    await holder.connect();
    await holder.query('select pg_advisory_lock(4711)');
    await system.sql.query('insert into held_events values ($1)', [eventType]);
    return {
      reached: lockAwaited(system),
      release: async () => {
        await system.sql.query('delete from held_events');
        await holder.end();
      },
    };
  };
}

async function lockAwaited(system: System): Promise<void> {
  const waiting = async () => {
    const { rows } = await system.sql.query(
      `select from pg_locks where locktype = 'advisory' and objid = 4711 and not granted
         and database = (select oid from pg_database where datname = current_database())`,
    );
    return rows.length > 0;
  };
  await until('a transaction waits for the lock', waiting, 60_000);
}

/** Nothing is held: the kill comes at once after the event. */
export function after(eventType: string) {
  return async (agent: RunningAgent): Promise<Hold> => ({
    reached: agent.event(eventType),
    release: async () => undefined,
  });
}

/** A quick system in which tests can hold any transaction that writes an event of a given type, or a launch intent. */
export async function startWithHolds(): Promise<System> {
  const system = await System.start({
    cloud: ['--synthetic', '1', '--boot-seconds', '0', '--shutdown-seconds', '0'],
    policy: { terminateWaitSeconds: 2 },
  });
  await prepareHolds(system);
  return system;
}

/** Whoever writes one of the held waits for a lock. */
async function prepareHolds(system: System): Promise<void> {
  await system.sql.query(`
    create function hold_event() returns trigger language plpgsql security definer as $$
    begin
      if exists (select from held_events where event_type = new.event_type) then
        perform pg_advisory_xact_lock(4711);
      end if;
      return new;
    end $$;
    create table held_events (event_type text primary key);
    create trigger hold_event before insert on system_events for each row execute function hold_event();
    create function hold_intent() returns trigger language plpgsql security definer as $$
    begin
      if exists (select from held_events where event_type = 'launch_intent') then
        perform pg_advisory_xact_lock(4711);
      end if;
      return new;
    end $$;
    create trigger hold_intent before insert on launch_intents for each row execute function hold_intent();
  `);
}

/** Kills the victim at the held step, starts it again, and expects the outcome of an undisturbed switch. */
export async function killedAt(
  system: System,
  step: string,
  hold: (agent: RunningAgent) => Promise<Hold>,
  victim: 'worker' | 'api',
): Promise<void> {
  const agent = await system.agent(`${victim} ${step}`);
  const held = await hold(agent);
  const answer = await system.call('POST', `agents/${agent.agentId}/switch`, { request_id: step });
  expect(answer.status).toBe(202);
  await held.reached;
  await system[victim].kill();
  await held.release();
  await system[victim].restart();
  await settled(system, agent);
}

/** One switch, one launch, one primary, the old machine proved gone: as if nothing had happened. */
export async function settled(system: System, agent: RunningAgent): Promise<void> {
  await eventOnce(system, agent, 'switch_completed');
  const terminated = await agent.event('instance_terminated');
  expect(terminated.instance_id).toBe(agent.firstInstanceId);
  const state = await agent.state();
  expect(state).toMatchObject({ incarnation: 2, status: 'online', candidate: null, activeSwitch: null });

  const books = await agent.instances();
  expect(books).toMatchObject([
    { id: agent.firstInstanceId, instance_status: 'terminated', termination_confirmed: true },
    { id: state.primary?.instanceId, instance_status: 'primary', termination_confirmed: false },
  ]);
  const cloud = await agent.cloudInstances();
  expect(cloud.map((one) => [one.instance_id, one.state === 'running']).sort()).toEqual(
    [
      [agent.firstInstanceId, false],
      [state.primary?.instanceId, true],
    ].sort(),
  );
  const { rows } = await system.sql.query(
    `select event_type, count(*)::int as times from system_events
     where agent_id = $1 and event_type in ('switch_started', 'cut_over', 'switch_completed', 'instance_terminated')
     group by event_type`,
    [agent.agentId],
  );
  expect(Object.fromEntries(rows.map((row) => [row.event_type, row.times]))).toEqual({
    switch_started: 1,
    cut_over: 1,
    switch_completed: 1,
    instance_terminated: 1,
  });
}

/** The event may have been taken by the step itself. */
async function eventOnce(system: System, agent: RunningAgent, type: string): Promise<void> {
  if (system.events.seen.some((event) => event.event_type === type && event.agent_id === agent.agentId))
    return;
  await agent.event(type);
}
