// Prepares the checkout and runs one command of the compiled CLI in this process.
import { createRequire } from 'node:module';
import path from 'node:path';
import { BootstrapError, bootstrap, root } from './bootstrap.mjs';

export async function run(args) {
  try {
    // Programs read what a command prints; only a start talks to a person on stdout.
    await bootstrap({ quiet: args[0] !== 'start' });
    const { main } = createRequire(import.meta.url)(path.join(root, 'dist', 'cli', 'main.js'));
    process.exit(await main(args)); // A connection kept alive for reuse is no reason to stay.
  } catch (error) {
    if (!(error instanceof BootstrapError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
