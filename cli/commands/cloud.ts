/** `spotkeeper cloud`: the simulated cloud alone. Its flags are the simulator's own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { Command } from 'commander';
import { DIST } from '../checkout';

export function addCloudCommand(program: Command, finish: (exitCode: number) => void): void {
  program
    .command('cloud')
    .description('run the simulated cloud alone; spotkeeper cloud --help lists its flags')
    .argument('[flags...]', 'passed on to the simulator')
    .helpOption(false)
    .allowUnknownOption()
    .action(async (flags: string[]) => finish(await runCloud(flags)));
}

/** Becomes the simulator for as long as it runs: same terminal, signals passed on, its exit code. */
async function runCloud(flags: string[]): Promise<number> {
  const child = spawn(process.execPath, [path.join(DIST, 'simulator', 'main.js'), ...flags], {
    stdio: 'inherit',
  });
  // A terminal's Ctrl-C reaches the simulator by itself; it then ends, and we with it.
  const pass = (signal: NodeJS.Signals) => void child.kill(signal);
  const ignore = () => undefined;
  process.on('SIGINT', ignore).on('SIGTERM', pass).on('SIGHUP', pass);
  try {
    const [code] = (await once(child, 'exit')) as [number | null];
    return code ?? 1;
  } finally {
    process.off('SIGINT', ignore).off('SIGTERM', pass).off('SIGHUP', pass);
  }
}
