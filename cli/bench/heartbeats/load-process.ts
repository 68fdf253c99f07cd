/** The process that sends, as the bench sees it. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { DIST } from '../../checkout';
import type { LoadCommand, LoadResult, LoadSettings } from './load';
import type { Stack } from './stack';

export class Load {
  private constructor(
    private readonly child: ReturnType<typeof fork>,
    private readonly signal: AbortSignal,
  ) {}

  get pid(): number {
    return this.child.pid as number;
  }

  static async start(
    stack: Stack,
    settings: Pick<LoadSettings, 'agents' | 'connections'>,
    signal: AbortSignal,
  ): Promise<Load> {
    const { hostname, port } = new URL(stack.apiUrl);
    const all: LoadSettings = { host: hostname, port: Number(port), ...settings };
    const script = path.join(DIST, 'cli', 'bench', 'heartbeats', 'load.js');
    const load = new Load(fork(script, [JSON.stringify(all)]), signal);
    await load.next();
    return load;
  }

  async run(rate: number, seconds: number): Promise<LoadResult> {
    const command: LoadCommand = { type: 'run', rate, seconds };
    this.child.send(command);
    return (await this.next()) as LoadResult;
  }

  async end(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, 'exit');
    if (this.child.connected) this.child.disconnect();
    await exited;
  }

  private async next(): Promise<unknown> {
    const done = new AbortController();
    const either = AbortSignal.any([this.signal, done.signal]);
    try {
      const [message] = (await Promise.race([
        once(this.child, 'message', { signal: either }),
        once(this.child, 'exit', { signal: either }).then(([code]) => {
          throw new Error(`The process that sends the heartbeats ended with exit code ${code}.`);
        }),
      ])) as [unknown];
      return message;
    } finally {
      done.abort();
    }
  }
}
