/** The simulator's flags, each checked with a sentence that names it, what it got and what it takes. */
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { Range } from './cloud-parts';
import type { SizedRange } from './storage/durations';

export class UsageError extends Error {
  override name = 'UsageError';
}

export interface Options {
  /** Null takes the last one, or any. */
  readonly port: number | null;
  readonly traces: string | null;
  readonly seed: number;
  readonly marketStartTick: number;
  readonly region: string | null;
  readonly speed: number;
  readonly pausedClock: boolean;
  /** Null keeps nothing beyond the run. */
  readonly stateFolder: string | null;
  readonly fresh: boolean;
  readonly boot: 'none' | 'process';
  readonly agentProgram: string;
  /** Names of variables of ours that agents get too. */
  readonly passEnvironment: readonly string[];
  readonly json: boolean;
  readonly help: boolean;
  readonly accountId: string;
  /** Cloud seconds. */
  readonly bootSeconds: Range;
  readonly imageSeconds: SizedRange;
  readonly snapshotSeconds: SizedRange;
  readonly volumeSeconds: SizedRange;
  readonly shutdownSeconds: Range;
  readonly consistencySeconds: Range;
  readonly restartSeconds: number;
  /** Whether EC2's documented limits on rates hold from the start. */
  readonly throttle: boolean;
}

const FLAGS = {
  port: { type: 'string' },
  traces: { type: 'string' },
  synthetic: { type: 'string' },
  'market-start-tick': { type: 'string', default: '0' },
  region: { type: 'string' },
  speed: { type: 'string', default: '1' },
  'paused-clock': { type: 'boolean', default: false },
  state: { type: 'string' },
  fresh: { type: 'boolean', default: false },
  boot: { type: 'string', default: 'process' },
  'agent-program': { type: 'string', default: path.join(__dirname, '..', 'spot-agent.js') },
  'pass-environment': { type: 'string', multiple: true, default: [] as string[] },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
  account: { type: 'string', default: '000000000000' },
  'boot-seconds': { type: 'string', default: '18-30' },
  'image-seconds': { type: 'string', default: '60-150+4' },
  'snapshot-seconds': { type: 'string', default: '15-45+4' },
  'volume-seconds': { type: 'string', default: '1-5' },
  'shutdown-seconds': { type: 'string', default: '3-8' },
  'consistency-seconds': { type: 'string', default: '0.3-2' },
  'restart-seconds': { type: 'string', default: '10' },
  throttle: { type: 'boolean', default: false },
} as const;

export const HELP = `A simulated cloud: EC2 and its instance metadata on localhost. Its flags:

  --port N               EC2's port; without it, or 0, the last one or any free one
  --traces DIR           a recorded market: a folder of .json files, or of such folders
  --synthetic SEED       a made market (the default, with seed 1)
  --market-start-tick N  open the market at this tick of its records
  --region NAME          the region to announce; without it the one with the most pools at the start
  --speed N              let the cloud's time pass N times as fast
  --paused-clock         let it pass only by the control API
  --state DIR            keep the cloud in this folder; without it nothing is kept
  --fresh                start over in that folder
  --boot none|process    run an agent process on each instance, or none
  --agent-program FILE   the agent, a JavaScript file
  --pass-environment NAME     hand this variable on to agents; may be given again
  --boot-seconds MIN-MAX      how long an instance boots (18-30)
  --shutdown-seconds MIN-MAX  how long it shuts down, or stops (3-8)
  --consistency-seconds MIN-MAX  how late descriptions know of a launch or a change (0.3-2)
  --image-seconds MIN-MAX+N   how long an image is pending, with N for each GiB that is copied (60-150+4)
  --snapshot-seconds MIN-MAX+N  how long a snapshot is pending (15-45+4)
  --volume-seconds MIN-MAX    how long a volume is made, attached, detached or deleted (1-5)
  --restart-seconds N    when a failed agent is started again (10)
  --throttle             refuse calls above EC2's documented rates
  --account ID           the account, 12 digits (000000000000)
  --json                 print one line of JSON with its addresses once it serves; the log goes to stderr
  --help                 print this
`;

/** @throws UsageError, one sentence. */
export function readOptions(args: readonly string[]): Options {
  const flags = parse(args);
  if (flags.traces !== undefined && flags.synthetic !== undefined) {
    throw new UsageError('The flags --traces and --synthetic exclude each other: a cloud has one market.');
  }
  if (flags.boot !== 'none' && flags.boot !== 'process')
    throw unusable('boot', flags.boot, 'none or process');
  if (!/^\d{12}$/.test(flags.account)) throw unusable('account', flags.account, 'an account id of 12 digits');
  if (flags.state === '') throw unusable('state', flags.state, 'the path of a folder');
  return {
    port: flags.port === undefined || flags.port === '0' ? null : number('port', flags.port, 1, 65_535, true),
    traces: flags.traces ?? null,
    seed: number('synthetic', flags.synthetic ?? '1', 0, 4_294_967_295, true),
    marketStartTick: number('market-start-tick', flags['market-start-tick'], 0, 1_000_000_000, true),
    region: flags.region ?? null,
    speed: number('speed', flags.speed, 0.001, 1_000_000, false),
    pausedClock: flags['paused-clock'],
    stateFolder: flags.state === undefined ? null : path.resolve(flags.state),
    fresh: flags.fresh,
    boot: flags.boot,
    passEnvironment: flags['pass-environment'],
    agentProgram: path.resolve(flags['agent-program']),
    json: flags.json,
    help: flags.help,
    accountId: flags.account,
    bootSeconds: range('boot-seconds', flags['boot-seconds']),
    imageSeconds: sizedRange('image-seconds', flags['image-seconds']),
    snapshotSeconds: sizedRange('snapshot-seconds', flags['snapshot-seconds']),
    volumeSeconds: sizedRange('volume-seconds', flags['volume-seconds']),
    shutdownSeconds: range('shutdown-seconds', flags['shutdown-seconds']),
    consistencySeconds: range('consistency-seconds', flags['consistency-seconds']),
    restartSeconds: number('restart-seconds', flags['restart-seconds'], 0, 86_400, false),
    throttle: flags.throttle,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: FLAGS, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n\n${HELP}`, { cause: error });
  }
}

function number(flag: string, text: string, min: number, max: number, whole: boolean): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (!(value >= min && value <= max) || (whole && !Number.isInteger(value))) {
    throw unusable(flag, text, `a ${whole ? 'whole ' : ''}number from ${min} to ${max}`);
  }
  return value;
}

function range(flag: string, text: string): Range {
  const [from, to, ...rest] = text.split('-');
  const min = Number(from || NaN);
  const max = Number((to ?? from) || NaN);
  if (rest.length > 0 || !(min >= 0 && max >= min && max <= 86_400)) {
    throw unusable(flag, text, 'seconds, as MIN-MAX or one number, for example 18-30');
  }
  return [min, max];
}

/** As `range`, and after a plus sign what each GiB adds. */
function sizedRange(flag: string, text: string): SizedRange {
  const [base = '', each, ...rest] = text.split('+');
  const perGib = each === undefined ? 0 : Number(each || NaN);
  if (rest.length > 0 || !(perGib >= 0 && perGib <= 86_400)) {
    throw unusable(flag, text, 'seconds, and after a + those for each GiB, for example 60-150+4');
  }
  const [min, max] = range(flag, base);
  return { min, max, perGib };
}

function unusable(flag: string, got: string, takes: string): UsageError {
  return new UsageError(`The flag --${flag} is not usable: got "${got}"; it takes ${takes}.`);
}
