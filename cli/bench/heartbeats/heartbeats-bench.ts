/**
 * `spotkeeper bench heartbeats`: how many durable heartbeats a second one API process takes on this machine, with
 * everything else of the system on it, and what they cost Temporal.
 */
import { machine, tenths } from '../figures';
import { addFleet, readStored } from './fleet';
import type { LoadResult } from './load';
import { Load } from './load-process';
import { peakMemoryMb, processorSeconds } from '../process-figures';
import { type OutageFigures, timeOutage } from './outage';
import { type Stack, startStack } from './stack';
import { timeSweeps } from './sweeps';
import { directSignalsPerSecond, naiveSignalsPerSecond } from './naive-signals';
import { eventsOfADay, type Registered, registerAgents } from './temporal-cost';

export interface HeartbeatsBenchOptions {
  /** That send. */
  agents: number;
  /** In the books. */
  registered: number;
  /** Heartbeats a second; null looks for the most that hold. */
  rate: number | null;
  /** Of the run that is reported. */
  seconds: number;
  /** How long the API is to be away, for a look at what that does to agents; 0 leaves it out. */
  outageSeconds: number;
  /** Leaves out what takes no part in storing heartbeats: Temporal's cost, and the sweeps. */
  intakeOnly: boolean;
  env: NodeJS.ProcessEnv;
  say: (line: string) => void;
  signal: AbortSignal;
}

export interface HeartbeatsBenchFigures {
  heartbeats_per_s: number;
  /** From when a heartbeat was due until its answer was read. */
  p50_ms: number | null;
  p99_ms: number | null;
  max_ms: number | null;
  agents: number;
  registered_agents: number;
  connections: number;
  /** In the database, of all runs; the same as were acknowledged. */
  rows_counted: number;
  acknowledged: number;
  /** One signal a heartbeat by the same API, at its best concurrency. */
  naive_signals_per_s: number | null;
  /** The same past the API: signals sent straight to Temporal. */
  direct_signals_per_s: number | null;
  /** How many times the better of the two the heartbeats are. */
  times_naive: number | null;
  /** Of a quiet agent. */
  temporal_events_per_agent_day: number | null;
  sweep_ms_at_100000: number | null;
  sweep_leases: number | null;
  sweep_ms: number | null;
  sweep_all_lost_ms: number | null;
  /** What agents that sent all the while were taken for during and after an outage of the API. */
  outage: OutageFigures | null;
  hot_update_share: number | null;
  bytes_per_sample: number | null;
  /** At a heartbeat every 30 s. */
  sample_mb_per_day_of_10000_agents: number | null;
  api_peak_memory_mb: number | null;
  /** Processors taken by each during the run that is reported. */
  processors: Record<string, number | null>;
  machine: string;
  /** Of the run that is reported; empty when all were acknowledged. */
  failures: Record<string, number>;
}

/** A rate holds when nearly all of it is answered sooner than this. */
const HOLDS_MS = 50;
const MOST_CONNECTIONS = 10_000;
const STEP_SECONDS = 6;
const FIRST_RATE = 3_000;
const WARM_UP_RATE = 3_000;
const STEP = 1.25;
const REGISTERED_FOR_REAL = 65;

/** @throws PartError if something doesn't start or ends; the signal's reason when it is aborted. */
export async function benchHeartbeats(options: HeartbeatsBenchOptions): Promise<HeartbeatsBenchFigures> {
  options.say('Starting a database, Temporal, the API and a worker …');
  const stack = await startStack(options);
  try {
    return await Promise.race([measure(stack, options), stack.failsEarly()]);
  } finally {
    await stack.stop();
  }
}

async function measure(stack: Stack, options: HeartbeatsBenchOptions): Promise<HeartbeatsBenchFigures> {
  const { agents, registered, say, signal } = options;
  const real = options.intakeOnly ? 0 : REGISTERED_FOR_REAL;
  say(`Registering ${real} agents, and ${registered} in the books …`);
  const own = await registerAgents(stack, real, signal);
  await addFleet(stack.databaseUrl, stack.clientId, registered, signal);

  const connections = Math.min(agents, MOST_CONNECTIONS);
  const load = await Load.start(stack, { agents, connections }, signal);
  let best: LoadResult;
  let processors: Record<string, number | null>;
  let acknowledged = 0;
  try {
    say('Warming up …');
    acknowledged += (await load.run(Math.min(WARM_UP_RATE, options.rate ?? WARM_UP_RATE), 5)).acknowledged;
    const rate =
      options.rate ?? (await findRate(load, say, (result) => (acknowledged += result.acknowledged)));
    ({ best, processors } = await report(stack, load, rate, options, (result) => {
      acknowledged += result.acknowledged;
    }));
  } finally {
    await load.end();
  }
  const apiPeakMemory = peakMemoryMb(stack.parts.api.pid);
  const stored = await readStored(stack.databaseUrl);

  const beside = options.intakeOnly ? NOT_MEASURED : await measureBeside(stack, own, options);

  const { bytesPerSample } = stored;
  const heartbeats = Math.floor(best.acknowledged / Math.max(best.seconds, options.seconds));
  const signals = Math.max(beside.naive_signals_per_s ?? 0, beside.direct_signals_per_s ?? 0);
  return {
    heartbeats_per_s: heartbeats,
    p50_ms: best.milliseconds && tenths(best.milliseconds.p50),
    p99_ms: best.milliseconds && tenths(best.milliseconds.p99),
    max_ms: best.milliseconds && tenths(best.milliseconds.max),
    agents,
    registered_agents: registered + real,
    connections,
    rows_counted: stored.samples,
    acknowledged,
    ...beside,
    times_naive: signals === 0 ? null : tenths(heartbeats / signals),
    hot_update_share: stored.hotShare === null ? null : Math.round(stored.hotShare * 1000) / 1000,
    bytes_per_sample: bytesPerSample === null ? null : Math.round(bytesPerSample),
    sample_mb_per_day_of_10000_agents:
      bytesPerSample === null ? null : Math.round((bytesPerSample * 10_000 * 2_880) / 1e6),
    api_peak_memory_mb: apiPeakMemory,
    processors,
    machine: machine(),
    failures: best.failures,
  };
}

type Beside = Pick<
  HeartbeatsBenchFigures,
  | 'naive_signals_per_s'
  | 'direct_signals_per_s'
  | 'outage'
  | 'temporal_events_per_agent_day'
  | 'sweep_ms_at_100000'
  | 'sweep_leases'
  | 'sweep_ms'
  | 'sweep_all_lost_ms'
>;

const NOT_MEASURED: Beside = {
  naive_signals_per_s: null,
  direct_signals_per_s: null,
  outage: null,
  temporal_events_per_agent_day: null,
  sweep_ms_at_100000: null,
  sweep_leases: null,
  sweep_ms: null,
  sweep_all_lost_ms: null,
};

/** With the same processes, after the load. */
async function measureBeside(
  stack: Stack,
  [quiet, ...others]: Registered[],
  { env, say, signal, outageSeconds }: HeartbeatsBenchOptions,
): Promise<Beside> {
  say('Counting what a day of heartbeats adds to an agent’s history …');
  const events = await eventsOfADay(stack, quiet!, signal);
  const outage =
    outageSeconds > 0 ? await timeOutage(stack, others, { seconds: outageSeconds, say, signal }) : null;
  say('Sending a signal a heartbeat instead, by the API …');
  const naive = await naiveSignalsPerSecond(stack, others, say, signal);
  // After all others: workflows take nothing of what is older than these.
  say('… and past it …');
  const direct = await directSignalsPerSecond(stack, others, say, signal);
  say('Timing lease sweeps …');
  const sweeps = await timeSweeps(stack.databaseUrl, env);
  return {
    naive_signals_per_s: Math.round(naive),
    direct_signals_per_s: Math.round(direct),
    outage,
    temporal_events_per_agent_day: events,
    sweep_ms_at_100000: sweeps.leases >= 100_000 ? sweeps.quietMs : null,
    sweep_leases: sweeps.leases,
    sweep_ms: sweeps.quietMs,
    sweep_all_lost_ms: sweeps.allLostMs,
  };
}

/** The highest rate of a ladder that holds; each has a second try, since anything may happen on a machine. */
async function findRate(
  load: Load,
  say: (line: string) => void,
  onResult: (result: LoadResult) => void,
): Promise<number> {
  let held = FIRST_RATE;
  for (let rate = FIRST_RATE; ; rate *= STEP) {
    let result: LoadResult;
    let tries = 0;
    do {
      result = await load.run(rate, STEP_SECONDS);
      onResult(result);
      say(`  ${Math.round(rate)} a second: ${sentence(result)}`);
    } while (!holds(result) && (tries += 1) < 2);
    if (!holds(result)) return held;
    held = rate;
  }
}

/** The run that is reported: at a rate a little lower, if it doesn't hold for longer. */
async function report(
  stack: Stack,
  load: Load,
  rate: number,
  { seconds, say, rate: wished }: HeartbeatsBenchOptions,
  onResult: (result: LoadResult) => void,
): Promise<{ best: LoadResult; processors: Record<string, number | null> }> {
  for (let attempt = 1; ; attempt += 1, rate *= 0.9) {
    const pids = { ...stack.parts, load };
    const taken = () =>
      Object.entries(pids).map(
        ([name, { pid }]) => [name, processorSeconds(pid, name === 'database')] as const,
      );
    const before = Object.fromEntries(taken());
    const best = await load.run(rate, seconds);
    const processors = Object.fromEntries(
      taken().map(([name, after]) => {
        const start = before[name];
        const known = after !== null && start !== null && start !== undefined;
        return [name, known ? Math.round(((after - start) / best.seconds) * 100) / 100 : null];
      }),
    );
    onResult(best);
    say(`${Math.round(rate)} a second for ${seconds} s: ${sentence(best)}`);
    if (wished !== null || holds(best) || attempt === 5) return { best, processors };
  }
}

function holds({ sent, acknowledged, milliseconds }: LoadResult): boolean {
  return acknowledged === sent && milliseconds !== null && milliseconds.p99 < HOLDS_MS;
}

function sentence({ acknowledged, sent, milliseconds, failures }: LoadResult): string {
  const times = milliseconds
    ? `p50 ${tenths(milliseconds.p50)} ms, p99 ${tenths(milliseconds.p99)} ms`
    : 'none answered';
  const failed = Object.entries(failures).map(([kind, count]) => `${count} × ${kind}`);
  return [`${acknowledged} of ${sent} acknowledged`, times, ...failed].join(', ');
}
