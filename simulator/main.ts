/**
 * The process of the simulated cloud: `node dist/simulator/main.js [flags]` (`--help` lists them).
 *
 * Tells that it serves by a line of JSON on stdout (`--json`), and by an IPC message when it has a channel. Stops on
 * SIGTERM, SIGINT, SIGHUP and the end of that channel. Exits 2 on bad flags.
 */
import pino from 'pino';
import type { Logger } from 'pino';
import { HELP, readOptions, UsageError } from './options';
import { startSimulator } from './simulator';

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options.help) {
    process.stdout.write(HELP);
    return;
  }
  // With --json, stdout is for the one line.
  const log = pino(
    { name: 'simulator', level: process.env['LOG_LEVEL'] || 'info' },
    pino.destination(options.json ? 2 : 1),
  );
  const simulator = await startSimulator(
    options,
    (error) => log.error({ err: error }, 'A request or a machine failed.'),
    (error) => giveUp(log, `The simulated cloud's state can't be written: ${error.message}.`),
  );
  simulator.events.follow((event) => log.info(event, event.kind));

  let stopping = false;
  const stop = (why: string) => {
    if (stopping) return;
    stopping = true;
    log.info({ why }, 'stopping');
    simulator.stop().then(
      () => process.exit(0),
      (error: Error) => giveUp(log, `The simulated cloud did not stop cleanly: ${error.message}.`),
    );
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => stop(signal));
  process.once('disconnect', () => stop('the parent process is gone'));

  log.info(simulator.ready, 'ready');
  if (options.json) process.stdout.write(`${JSON.stringify(simulator.ready)}\n`);
  process.send?.({ type: 'ready', ...simulator.ready });
}

function giveUp(log: Logger, sentence: string): never {
  log.fatal(sentence);
  process.exit(1);
}

main().catch((error: Error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(error instanceof UsageError ? 2 : 1);
});
