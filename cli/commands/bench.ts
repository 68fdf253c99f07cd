/** `spotkeeper bench <what>`: measures a part of the system, over sockets, on this machine. */
import type { Command } from 'commander';
import { benchCloud, type CloudBenchFigures } from '../bench/cloud-bench';
import { interruptible, wholeNumber } from './bench-flags';
import { addHeartbeatsBench } from './bench-heartbeats';
import { addReadsBench, addSamplesBench } from './bench-reads';

interface CloudFlags {
  instances: string;
  rate: string;
  json?: boolean;
}

export function addBenchCommand(program: Command, finish: (exitCode: number) => void): void {
  const bench = program.command('bench').description('measure a part of the system');
  bench
    .command('cloud')
    .description('measure how fast the simulated cloud launches instances and describes them')
    .option('--instances <n>', 'how many to launch', '2000')
    .option('--rate <n>', 'launches a second, on a schedule that waits for no answer', '50')
    .option('--json', 'print the figures as one line of JSON, last')
    .action(async (flags: CloudFlags) => {
      const instances = wholeNumber('instances', flags.instances, 100_000);
      const rate = wholeNumber('rate', flags.rate, 1000);
      // The SDK's yearly notice that Node 20 ends says nothing about the bench.
      process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
      const figures = await interruptible((signal) =>
        benchCloud({ instances, rate, env: process.env, say: (line) => console.error(line), signal }),
      );
      console.log(flags.json ? JSON.stringify(figures) : table(figures));
      finish(Object.keys(figures.failures).length > 0 ? 1 : 0);
    });
  addHeartbeatsBench(bench, finish);
  addReadsBench(bench, finish);
  addSamplesBench(bench, finish);
}

function table({ launch_ms, page_ms, ...figures }: CloudBenchFigures): string {
  const failures = Object.entries(figures.failures).map(([kind, count]) => `  ${count} × ${kind}`);
  return [
    `${figures.launches_per_s} launches a second, ${figures.instances} instances in the books`,
    '',
    '                                      p50        p99        max',
    `  launch, from when it was due ${milliseconds(launch_ms.p50)} ${milliseconds(launch_ms.p99)}`,
    `  page of DescribeInstances    ${milliseconds(page_ms.p50)} ${milliseconds(page_ms.p99)} ${milliseconds(page_ms.max)}`,
    '',
    `  launches answered more than a second late: ${figures.launches_late}; pages read: ${figures.pages}`,
    `  measured on ${figures.machine}`,
    ...(failures.length > 0 ? ['', 'What failed:', ...failures] : []),
  ].join('\n');
}

function milliseconds(value: number | null): string {
  return (value === null ? '–' : `${value.toFixed(1)} ms`).padStart(10);
}
