/** What an outage of the API does to agents that send all the while. Nothing, it should be: the silence is ours. */
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { until } from '../../parts/until';
import type { Stack } from './stack';
import { type Registered, sendBeat } from './temporal-cost';

export interface OutageFigures {
  seconds: number;
  agents: number;
  /** The most leases that were over at the same time. */
  leases_over: number;
  /** The most agents that were taken for silent or orphaned at the same time. */
  agents_silent_or_orphaned: number;
  /** Warnings and worse that were written about them or their client. */
  alerts: number;
  /** From when the API was there again until each of them had been heard again. */
  all_heard_again_after_s: number;
}

/** Between two heartbeats of an agent, as the API tells them. */
const INTERVAL_MS = 30_000;
const LOOK_MS = 500;
/** After the API is there again: two intervals, and a lease's term in which a false silence would show. */
const AFTERWARDS_MS = 150_000;

interface Options {
  seconds: number;
  say: (line: string) => void;
  signal: AbortSignal;
}

export async function timeOutage(
  stack: Stack,
  agents: readonly Registered[],
  { seconds, say, signal }: Options,
): Promise<OutageFigures> {
  const sql = new Client({ connectionString: stack.databaseUrl });
  await sql.connect();
  const sending = sendAll(stack, agents);
  const ids = agents.map((agent) => agent.agentId);
  try {
    await until('all agents are online', async () => isQuiet(await look(sql, ids)), 4 * INTERVAL_MS);
    const { rows } = await sql.query<{ id: string }>('select coalesce(max(id), 0) as id from system_events');
    const firstEvent = rows[0]!.id;
    const most = { leasesOver: 0, unwell: 0 };
    let watching = true;
    const watch = (async () => {
      while (watching) {
        const seen = await look(sql, ids);
        most.leasesOver = Math.max(most.leasesOver, seen.leasesOver);
        most.unwell = Math.max(most.unwell, seen.unwell);
        await delay(LOOK_MS);
      }
    })();
    let heardAgainMs: number;
    try {
      say(`Ending the API for ${seconds} s …`);
      await stack.withoutApi(() => delay(seconds * 1000, undefined, { signal }));
      const back = await now(sql);
      const start = performance.now();
      await until('all are heard again', () => heardSince(sql, ids, back), 4 * INTERVAL_MS);
      heardAgainMs = performance.now() - start;
      say('Looking for agents that are taken for silent …');
      await delay(AFTERWARDS_MS - heardAgainMs, undefined, { signal });
    } finally {
      watching = false;
      await watch;
    }
    const alerts = await sql.query(
      `select from system_events where id > $1 and severity <> 'info' and (agent_id = any ($2) or agent_id is null)`,
      [firstEvent, ids],
    );
    return {
      seconds,
      agents: agents.length,
      leases_over: most.leasesOver,
      agents_silent_or_orphaned: most.unwell,
      alerts: alerts.rowCount ?? 0,
      all_heard_again_after_s: Math.round(heardAgainMs / 1000),
    };
  } finally {
    sending.stop();
    await sql.end();
  }
}

/** Each at its interval, one after the other; what fails is sent again at the next. */
function sendAll(stack: Stack, agents: readonly Registered[]): { stop(): void } {
  let turn = 0;
  const timer = setInterval(() => {
    const agent = agents[turn++ % agents.length] as Registered;
    sendBeat(stack, agent).catch(() => undefined);
  }, INTERVAL_MS / agents.length);
  return { stop: () => clearInterval(timer) };
}

interface Seen {
  leasesOver: number;
  unwell: number;
}

const isQuiet = ({ leasesOver, unwell }: Seen) => leasesOver === 0 && unwell === 0;

async function look(sql: Client, ids: readonly string[]): Promise<Seen> {
  const { rows } = await sql.query<Seen>(
    `select (count(*) filter (where leases.state <> 'live'))::int as "leasesOver",
       (count(*) filter (where agents.status <> 'online'))::int as unwell
     from agents join leases on leases.agent_id = agents.id where agents.id = any ($1)`,
    [ids],
  );
  return rows[0] as Seen;
}

async function now(sql: Client): Promise<Date> {
  const { rows } = await sql.query<{ now: Date }>('select now()');
  return rows[0]!.now;
}

async function heardSince(sql: Client, ids: readonly string[], since: Date): Promise<boolean> {
  const { rowCount } = await sql.query(
    'select from leases where agent_id = any ($1) and last_heartbeat_at < $2',
    [ids, since],
  );
  return rowCount === 0;
}
