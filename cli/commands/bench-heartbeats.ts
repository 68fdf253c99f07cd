/** `spotkeeper bench heartbeats`. */
import type { Command } from 'commander';
import { benchHeartbeats, type HeartbeatsBenchFigures } from '../bench/heartbeats/heartbeats-bench';
import { UsageError } from '../usage-error';
import { interruptible, wholeNumber } from './bench-flags';

interface HeartbeatsFlags {
  agents: string;
  registered: string;
  rate?: string;
  seconds: string;
  outage?: string;
  intakeOnly?: boolean;
  json?: boolean;
}

export function addHeartbeatsBench(bench: Command, finish: (exitCode: number) => void): void {
  bench
    .command('heartbeats')
    .description('measure how many durable heartbeats a second the API takes, and what they cost Temporal')
    .option('--agents <n>', 'how many agents send', '10000')
    .option('--registered <n>', 'how many agents there are', '100000')
    .option('--rate <n>', 'heartbeats a second, instead of looking for the most with a p99 under 50 ms')
    .option('--seconds <n>', 'how long the run takes that is reported', '20')
    .option('--outage <seconds>', 'end the API for so long, and count the agents that are taken for silent')
    .option('--intake-only', "leave out Temporal's cost and the sweeps")
    .option('--json', 'print the figures as one line of JSON, last')
    .action(async (flags: HeartbeatsFlags) => {
      const agents = wholeNumber('agents', flags.agents, 1_000_000);
      const registered = wholeNumber('registered', flags.registered, 1_000_000);
      const rate = flags.rate === undefined ? null : wholeNumber('rate', flags.rate, 1_000_000);
      const seconds = wholeNumber('seconds', flags.seconds, 3_600);
      const outageSeconds = flags.outage === undefined ? 0 : wholeNumber('outage', flags.outage, 3_600);
      if (registered < agents) {
        throw new UsageError(
          `The flag --registered is not usable: ${registered} agents can't be fewer than the ${agents} that send.`,
        );
      }
      const say = (line: string) => console.error(line);
      const figures = await interruptible((signal) =>
        benchHeartbeats({
          ...{ agents, registered, rate, seconds, outageSeconds, intakeOnly: flags.intakeOnly === true },
          ...{ env: process.env, say, signal },
        }),
      );
      console.log(flags.json ? JSON.stringify(figures) : table(figures));
      finish(figures.rows_counted === figures.acknowledged ? 0 : 1);
    });
}

function table(figures: HeartbeatsBenchFigures): string {
  const used = Object.entries(figures.processors).map(([name, count]) => `${name} ${count ?? '–'}`);
  const failures = Object.entries(figures.failures).map(([kind, count]) => `  ${count} × ${kind}`);
  return [
    `${figures.heartbeats_per_s} heartbeats a second of ${figures.agents} agents (${figures.registered_agents} registered)`,
    `  answered after ${milliseconds(figures.p50_ms)} (p50), ${milliseconds(figures.p99_ms)} (p99), ${milliseconds(figures.max_ms)} (max), from when each was due`,
    `  rows in the database: ${figures.rows_counted}, acknowledged: ${figures.acknowledged}`,
    ...(figures.naive_signals_per_s === null ? [] : beside(figures)),
    `  updates that touch no index: ${figures.hot_update_share ?? '–'}; bytes a sample: ${figures.bytes_per_sample ?? '–'}, a day of 10,000 agents: ${figures.sample_mb_per_day_of_10000_agents ?? '–'} MB`,
    `  processors taken: ${used.join(', ')}; the API's memory at its peak: ${figures.api_peak_memory_mb ?? '–'} MB with ${figures.connections} connections`,
    `  measured on ${figures.machine}`,
    ...(failures.length > 0 ? ['', 'What failed:', ...failures] : []),
  ].join('\n');
}

function beside(figures: HeartbeatsBenchFigures): string[] {
  return [
    `  one signal each instead: ${figures.naive_signals_per_s} a second by the API, ${figures.direct_signals_per_s} past it; this is ${figures.times_naive} times the better`,
    `  a day's heartbeats of a quiet agent add ${figures.temporal_events_per_agent_day} events to its history`,
    `  a lease sweep over ${figures.sweep_leases} leases: ${figures.sweep_ms} ms; when all are over: ${figures.sweep_all_lost_ms} ms`,
    ...(figures.outage === null ? [] : [outage(figures.outage)]),
  ];
}

function outage(figures: NonNullable<HeartbeatsBenchFigures['outage']>): string {
  return `  the API away for ${figures.seconds} s: of ${figures.agents} agents ${figures.agents_silent_or_orphaned} taken for silent or orphaned, ${figures.leases_over} leases over, ${figures.alerts} alerts; all heard again after ${figures.all_heard_again_after_s} s`;
}

function milliseconds(value: number | null): string {
  return value === null ? '–' : `${value.toFixed(1)} ms`;
}
