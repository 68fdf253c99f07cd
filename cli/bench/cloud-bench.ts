/** `spotkeeper bench cloud`: how fast the simulated cloud launches, and describes what it has in its books. */
import { DescribeInstancesCommand, RunInstancesCommand } from '@aws-sdk/client-ec2';
import { performance } from 'node:perf_hooks';
import { until } from '../parts/until';
import { Failures } from './failures';
import { machine, percentile, tenths } from './figures';
import { openLoop } from './open-loop';
import { type OwnCloud, startOwnCloud } from './own-cloud';
import { type TimedEc2, timedEc2 } from './timed-ec2';

export interface CloudBenchOptions {
  instances: number;
  /** Launches a second. */
  rate: number;
  env: NodeJS.ProcessEnv;
  /** Hears how far it has come. */
  say: (line: string) => void;
  /** Ends it early. */
  signal: AbortSignal;
}

export interface CloudBenchFigures {
  /** In the books while they were described, counted by their ids. */
  instances: number;
  launches_per_s: number;
  /** From when a launch was due until its answer was read. */
  launch_ms: { p50: number | null; p99: number | null };
  /** Answered more than a second after they were due. */
  launches_late: number;
  /** From the call until the last byte of the answer. */
  page_ms: { p50: number | null; p99: number | null; max: number | null };
  pages: number;
  machine: string;
  /** How often what went wrong; empty when all went well. */
  failures: Record<string, number>;
}

const LATE_MS = 1000;
/** The books are read to their end so often, once in pages of 1,000 and once without a word on the pages' size. */
const READINGS = 50;
/** What was launched must be seen by then; EC2 shows it a moment later. */
const SEEN_MS = 60_000;

/** @throws PartError if the cloud doesn't start or ends; the signal's reason when it is aborted. */
export async function benchCloud(options: CloudBenchOptions): Promise<CloudBenchFigures> {
  options.say('Starting a simulated cloud of its own …');
  const cloud = await startOwnCloud(options.env, []);
  const ec2 = timedEc2(cloud.cloudUrl, cloud.region);
  try {
    return await Promise.race([measure(cloud, ec2, options), cloud.part.failsEarly()]);
  } finally {
    ec2.client.destroy();
    await cloud.stop();
  }
}

async function measure(
  cloud: OwnCloud,
  ec2: TimedEc2,
  { instances, rate, say, signal }: CloudBenchOptions,
): Promise<CloudBenchFigures> {
  const failures = new Failures();
  await holdPoolsThere(cloud, signal);
  say(`Launching ${instances} instances, ${rate} a second: about ${Math.ceil(instances / rate)} s …`);
  const launches = await openLoop({ count: instances, perSecond: rate, signal }, (index) =>
    ec2.client.send(launch(cloud, index), { abortSignal: signal }),
  );
  for (const error of launches.failures) failures.add('RunInstances', error);
  const launched = launches.milliseconds.length;

  say('Reading the books, page by page …');
  const read = (maxResults?: number) => readBooks(ec2, signal, maxResults);
  const seen = () => read().then(({ ids }) => ids.size >= launched);
  await until('all that was launched is described', seen, SEEN_MS, 200, signal).catch((error: unknown) => {
    signal.throwIfAborted();
    failures.add('DescribeInstances', error);
  });
  const pages: number[] = [];
  let counted = Infinity;
  for (let reading = 0; reading < READINGS; reading++) {
    for (const maxResults of [1000, undefined]) {
      signal.throwIfAborted();
      try {
        const { ids, milliseconds } = await read(maxResults);
        pages.push(...milliseconds);
        counted = Math.min(counted, ids.size);
      } catch (error) {
        failures.add('DescribeInstances', error);
      }
    }
  }
  if (counted !== launched) failures.add('DescribeInstances', new Error('not all launched were described'));
  return {
    instances: Number.isFinite(counted) ? counted : 0,
    launches_per_s: tenths(launched / launches.seconds),
    launch_ms: { p50: percentile(launches.milliseconds, 0.5), p99: percentile(launches.milliseconds, 0.99) },
    launches_late: launches.milliseconds.filter((milliseconds) => milliseconds > LATE_MS).length,
    page_ms: { p50: percentile(pages, 0.5), p99: percentile(pages, 0.99), max: percentile(pages, 1) },
    pages: pages.length,
    machine: machine(),
    failures: failures.counts,
  };
}

/** The market's ups and downs are not what is measured. */
async function holdPoolsThere(cloud: OwnCloud, signal: AbortSignal): Promise<void> {
  const response = await fetch(`${cloud.controlUrl}/pools/give-back`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
    signal,
  });
  if (!response.ok)
    throw new Error(`The simulated cloud refused to hold its pools: ${await response.text()}`);
}

/** As our own workers launch: one spot instance, with a client token, tags and user data. */
function launch(cloud: OwnCloud, index: number): RunInstancesCommand {
  return new RunInstancesCommand({
    ImageId: cloud.imageId,
    InstanceType: cloud.instanceTypes[index % cloud.instanceTypes.length] as 'g5.xlarge',
    MinCount: 1,
    MaxCount: 1,
    ClientToken: `bench-${index}`,
    InstanceMarketOptions: { MarketType: 'spot' },
    UserData: Buffer.from(JSON.stringify({ bench: index })).toString('base64'),
    TagSpecifications: [
      {
        ResourceType: 'instance',
        Tags: [
          { Key: 'Name', Value: `bench-${index}` },
          { Key: 'spotkeeper:agent-id', Value: `agent-${index}` },
          { Key: 'spotkeeper:incarnation', Value: '1' },
        ],
      },
    ],
  });
}

async function readBooks(
  ec2: TimedEc2,
  signal: AbortSignal,
  maxResults?: number,
): Promise<{ ids: Set<string>; milliseconds: number[] }> {
  const ids = new Set<string>();
  const milliseconds: number[] = [];
  let token: string | undefined;
  do {
    const start = performance.now();
    const page = await ec2.client.send(
      new DescribeInstancesCommand({ MaxResults: maxResults, NextToken: token }),
      { abortSignal: signal },
    );
    milliseconds.push(ec2.answeredAt() - start);
    for (const { Instances } of page.Reservations ?? [])
      for (const { InstanceId } of Instances ?? []) ids.add(InstanceId!);
    token = page.NextToken || undefined;
  } while (token !== undefined);
  return { ids, milliseconds };
}
