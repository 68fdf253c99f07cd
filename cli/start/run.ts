/**
 * One start from its first line to its last: holds the state folder, ends leftovers, brings the parts up in order, says
 * what runs where, follows what happens, and takes everything down again.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { listenForInterrupts } from './interrupts';
import { ProcessBook } from './process-book';
import { removeEmbeddedDatabase } from './database-part';
import { bringUp, type Stack } from './bring-up';
import type { StartSettings } from './settings';
import { StateFolder } from './state-folder';
import { Supervisor } from './supervisor';

/** How long a forced stop waits for the simulated cloud to end its agents, which are not our children. */
const FORCED_GRACE_MS = 1500;
const SETTLE_MS = 10_000;

/** @returns the exit code: 0 after a stop that was asked for, 1 after a failure, 130 after a forced stop. */
export async function runStack(settings: StartSettings): Promise<number> {
  // Tokens, workflows and user data lie in files that many programs write; they are nobody else's to read.
  process.umask(0o077);
  // A start is told what Node.js it needs by its bootstrap.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
  const state = new StateFolder(settings.stateFolder);
  state.hold();
  // A closed terminal takes the output with it; the stop must still be orderly.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  const say = (line: string) => void process.stdout.write(`${line}\n`);
  const book = new ProcessBook(state);
  const supervisor = new Supervisor(book, say);
  const interrupts = listenForInterrupts(() => void force(supervisor));
  let up: Promise<Stack> | undefined;
  try {
    await book.endLeftovers(say);
    state.remove('run.json');
    if (settings.fresh) startOver(state, settings, say);
    up = bringUp(state, supervisor, settings, say);
    const stopAsked = interrupts.first.then(() => null);
    const fatal = supervisor.failure.then((error) => Promise.reject(error));
    const stack = await Promise.race([up, stopAsked, fatal]);
    if (stack) await Promise.race([stopAsked, fatal]);
    say('Stopping …');
    await supervisor.stopAll();
    say('Everything has stopped. npm start goes on from here; npm start -- --fresh starts over.');
    return 0;
  } catch (error) {
    console.error(`\n${(error as Error).message}`);
    console.error(
      '\nThe start is given up, and what was started is stopped. Start again once that is mended.',
    );
    await supervisor.stopAll();
    return 1;
  } finally {
    await settle(up);
    state.remove('run.json');
    state.release();
    interrupts.dispose();
  }
}

/** Waits until nothing is being brought up any more; that a stop made it fail is no news. */
async function settle(up: Promise<Stack> | undefined): Promise<void> {
  const closed = up?.then(
    ({ door }) => door?.close(),
    () => undefined,
  );
  await Promise.race([closed, delay(SETTLE_MS, undefined, { ref: false })]);
}

function startOver(state: StateFolder, settings: StartSettings, say: (line: string) => void): void {
  removeEmbeddedDatabase(state);
  // The simulated cloud clears its own folder: it knows which agent processes belong to it.
  state.clear(['cloud', 'processes.json']);
  if (settings.databaseUrl)
    say('--fresh forgets what this folder keeps; the database that DATABASE_URL names is left as it is.');
}

async function force(supervisor: Supervisor): Promise<void> {
  process.stderr.write('Forced: what has not stopped is killed.\n');
  await delay(FORCED_GRACE_MS);
  supervisor.killAll();
}
