/** `spotkeeper bench reads` and `spotkeeper bench samples`. */
import type { Command } from 'commander';
import { benchReads, type ReadsBenchFigures } from '../bench/reads/reads-bench';
import { benchSamples, type SamplesBenchFigures } from '../bench/samples-bench';
import { interruptible, wholeNumber } from './bench-flags';

interface ReadsFlags {
  agents: string;
  requests: string;
  rate: string;
  json?: boolean;
}

export function addReadsBench(bench: Command, finish: (exitCode: number) => void): void {
  bench
    .command('reads')
    .description('measure how long each read takes with a large fleet in the books')
    .option('--agents <n>', 'how many are in the books', '100000')
    .option('--requests <n>', 'requests of each read', '300')
    .option('--rate <n>', 'requests a second, on a schedule that waits for no answer', '30')
    .option('--json', 'print the figures as one line of JSON, last')
    .action(async (flags: ReadsFlags) => {
      const settings = {
        agents: wholeNumber('agents', flags.agents, 1_000_000),
        requests: wholeNumber('requests', flags.requests, 10_000),
        rate: wholeNumber('rate', flags.rate, 1000),
      };
      const figures = await interruptible((signal) =>
        benchReads({ ...settings, env: process.env, say: (line) => console.error(line), signal }),
      );
      console.log(flags.json ? JSON.stringify(figures) : readsTable(figures));
      finish(Object.keys(figures.failures).length > 0 ? 1 : 0);
    });
}

export function addSamplesBench(bench: Command, finish: (exitCode: number) => void): void {
  bench
    .command('samples')
    .description('measure how much room the samples of heartbeats take')
    .option('--agents <n>', 'how many send', '1000')
    .option('--interval <seconds>', 'between two heartbeats', '30')
    .option('--json', 'print the figures as one line of JSON, last')
    .action(async (flags: { agents: string; interval: string; json?: boolean }) => {
      const settings = {
        agents: wholeNumber('agents', flags.agents, 100_000),
        intervalSeconds: wholeNumber('interval', flags.interval, 3600),
      };
      const figures = await interruptible((signal) =>
        benchSamples({ ...settings, env: process.env, say: (line) => console.error(line), signal }),
      );
      console.log(flags.json ? JSON.stringify(figures) : samplesTable(figures));
      finish(0);
    });
}

function readsTable({ reads, ...figures }: ReadsBenchFigures): string {
  const milliseconds = (value: number | null) => (value === null ? '–' : value.toFixed(1)).padStart(9);
  return [
    `${figures.agents} agents in the books, ${figures.rate} requests a second, milliseconds from when each was due`,
    '',
    `${''.padEnd(40)}      p50      p99  API cpu   DB cpu     bytes`,
    ...Object.entries(reads).map(
      ([name, one]) =>
        `  ${name.padEnd(38)}${milliseconds(one.p50_ms)}${milliseconds(one.p99_ms)}${milliseconds(one.api_cpu_ms)}${milliseconds(one.database_cpu_ms)}${String(one.bytes).padStart(10)}`,
    ),
    '',
    `  measured on ${figures.machine}`,
    ...Object.entries(figures.failures).map(([kind, count]) => `  failed: ${count} × ${kind}`),
  ].join('\n');
}

function samplesTable(figures: SamplesBenchFigures): string {
  const gigabytes = (value: number) => `${value.toFixed(2)} GB`;
  return [
    `A sample takes ${figures.bytes_per_sample} bytes with its indexes, a step of 5 minutes ${figures.bytes_per_step}, an hour ${figures.bytes_per_hour}.`,
    `10,000 agents at ${figures.interval_seconds} s: ${gigabytes(figures.full_rate_day_gb_per_10000)} for a day at full rate,`,
    `  ${gigabytes(figures.minutes_gb_per_10000)} for 7 days in steps of 5 minutes, ${gigabytes(figures.hours_gb_per_10000)} for 90 days in hours.`,
    `Summing up an hour of ${figures.agents} agents took ${figures.roll_up_hour_ms} ms; a round that drops an hour ${figures.drop_hour_ms} ms.`,
    `Measured on ${figures.machine}.`,
  ].join('\n');
}
