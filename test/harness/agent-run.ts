/** The agent as a process under a test's control, on an instance of the simulated cloud that boots none of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { UserData } from '../../contracts/user-data';
import { launch } from './launch';
import { ROOT, testServers } from './servers';
import type { Simulator } from './simulator';
import { MARK_VARIABLE, testFile } from './test-file';

export interface Machine {
  instanceId: string;
  /** The instance's own metadata service. */
  metadataUrl: string;
  /** What stands for the agent's folder on its disk. */
  home: string;
}

/** A running spot instance with this user data. */
export async function launchMachine(
  simulator: Simulator,
  userData: UserData['spotkeeper'] | null,
): Promise<Machine> {
  const { InstanceId: instanceId } = await launch(simulator.ready, { userData });
  const { controlUrl } = simulator.ready;
  const view = (await (await fetch(`${controlUrl}/instances/${instanceId}`)).json()) as {
    metadata_url: string;
  };
  const home = path.join(testServers().folder, testFile().mark, 'homes', instanceId);
  mkdirSync(home, { recursive: true });
  return { instanceId, metadataUrl: view.metadata_url, home };
}

const LINE_TIMEOUT_MS = 20_000;

export class AgentRun {
  /** Everything it has printed. */
  readonly lines: string[] = [];
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  private readonly child: ChildProcess;
  private readonly waiting = new Set<() => void>();
  private read = 0;

  constructor(machine: Pick<Machine, 'metadataUrl' | 'home'>, env: NodeJS.ProcessEnv = {}) {
    this.child = spawn(process.execPath, [path.join(ROOT, 'dist', 'spot-agent.js')], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        AWS_EC2_METADATA_SERVICE_ENDPOINT: machine.metadataUrl,
        SPOT_AGENT_HOME: machine.home,
        [MARK_VARIABLE]: testFile().mark,
        ...env,
      },
    });
    this.exited = once(this.child, 'close').then(([code, signal]) => ({
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
    }));
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      createInterface({ input: stream }).on('line', (line) => {
        this.lines.push(line);
        for (const wake of this.waiting) wake();
      });
    }
  }

  /** The next line that matches, past or to come, after those that earlier calls returned. */
  async line(pattern: RegExp): Promise<string> {
    const deadline = AbortSignal.timeout(LINE_TIMEOUT_MS);
    for (;;) {
      const index = this.lines.findIndex((line, at) => at >= this.read && pattern.test(line));
      if (index >= 0) {
        this.read = index + 1;
        return this.lines[index]!;
      }
      await new Promise<void>((resolve, reject) => {
        const done = () => {
          this.waiting.delete(done);
          deadline.removeEventListener('abort', late);
          resolve();
        };
        const late = () => {
          this.waiting.delete(done);
          reject(new Error(`The agent printed no ${pattern}:\n${this.lines.join('\n')}`));
        };
        this.waiting.add(done);
        deadline.addEventListener('abort', late);
      });
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** kill -9, if it still runs. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exited;
  }
}
