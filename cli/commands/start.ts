/** `spotkeeper start` (and `npm start`): the whole system in one command. */
import type { Command } from 'commander';
import { readStartSettings, type StartFlags } from '../start/settings';
import { runStack } from '../start/run';
import { UsageError } from '../usage-error';

const FLAGS = ['fresh', 'agents', 'speed', 'traces'];

const ENVIRONMENT = `
Environment:
  DATABASE_URL          a PostgreSQL database, instead of the embedded one
  TEMPORAL_ADDRESS      a Temporal server, instead of one of our own; with TEMPORAL_NAMESPACE,
                        TEMPORAL_TLS_CERT_FILE, TEMPORAL_TLS_KEY_FILE, TEMPORAL_TLS_CA_FILE, TEMPORAL_API_KEY
  AWS_REGION            with AWS credentials and AWS_ACCOUNT_ID: the real EC2, instead of the simulated one;
                        AWS_REGIONS names more regions
  HOST, API_PUBLIC_URL  what the API listens on (127.0.0.1), and where instances of the real EC2 reach it
  SPOTKEEPER_STATE_DIR  where the state is kept (.spotkeeper in the checkout)
  HEARTBEAT_SIGNALS     news or every (the demo's default)`;

export function addStartCommand(program: Command, finish: (exitCode: number) => void): void {
  program
    .command('start')
    .description('bring the whole system up: database, Temporal, simulated cloud, API, worker, a demo fleet')
    .option('--fresh', 'forget the state of earlier starts')
    .option('--agents <n>', 'how many agents the demo fleet has (default: 4)')
    .option(
      '--speed <n>',
      'run the market, boots, notices and policy durations this many times faster (default: 1)',
    )
    .option('--traces <dir>', 'a folder of recorded spot markets (default: a synthetic market)')
    .addHelpText('after', ENVIRONMENT)
    .showHelpAfterError('(start takes --fresh, --agents N, --speed N and --traces DIR)')
    .allowExcessArguments()
    .action(async (flags: StartFlags, command: Command) => {
      refuseStrayArguments(command.args);
      finish(await runStack(readStartSettings(flags, process.env)));
    });
}

function refuseStrayArguments(args: string[]): void {
  const kept = FLAGS.find((flag) => process.env[`npm_config_${flag}`] !== undefined);
  if (kept && process.env.npm_lifecycle_event === 'start') {
    throw new UsageError(
      `npm kept --${kept} for itself. Put two dashes before the flags: npm start -- --${kept}${kept === 'fresh' ? '' : ' …'}`,
    );
  }
  if (args.length > 0) {
    throw new UsageError(
      `start got "${args.join(' ')}", which it has no use for; it takes --fresh, --agents N, --speed N and --traces DIR.`,
    );
  }
}
