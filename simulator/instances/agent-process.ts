/**
 * The process that stands for what runs on one instance. It is detached, so it outlives a killed simulator, and the
 * next one adopts it by the identity file (process-identity.ts) rather than start a second.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync, rmSync } from 'node:fs';
import path from 'node:path';
import { isAlive, readIdentity, RECORD_AND_EXEC } from './process-identity';
import type { ProcessIdentity } from './process-identity';

export interface AgentCommand {
  /** Holds the identity file and the log; the process's working folder. */
  readonly folder: string;
  /** A JavaScript file, run with this same Node. */
  readonly program: string;
  readonly environment: Readonly<Record<string, string>>;
}

export interface ProcessEnd {
  /** Exit code 0. Of an adopted process the code is unknown, which isn't clean. */
  readonly clean: boolean;
  readonly description: string;
}

/** No parent's event tells the end of an adopted process, so it is looked at this often. */
const ADOPTED_LOOK_MILLISECONDS = 500;

export class AgentProcess {
  readonly ended: Promise<ProcessEnd>;
  readonly pid: number;
  readonly adopted: boolean;
  readonly #child: ChildProcess | null;
  readonly #identity: ProcessIdentity | null;

  private constructor(
    pid: number,
    child: ChildProcess | null,
    identity: ProcessIdentity | null,
    ended: Promise<ProcessEnd>,
  ) {
    this.pid = pid;
    this.#child = child;
    this.#identity = identity;
    this.adopted = child === null;
    this.ended = ended;
  }

  /** The living process that an earlier simulator left in this folder; null when there is none. */
  static adopt(folder: string): AgentProcess | null {
    const identity = readIdentity(identityFile(folder));
    if (!identity || !isAlive(identity)) return null;
    const ended = new Promise<ProcessEnd>((resolve) => {
      const look = setInterval(() => {
        if (isAlive(identity)) return;
        clearInterval(look);
        resolve({ clean: false, description: 'it ended with an unknown code' });
      }, ADOPTED_LOOK_MILLISECONDS);
    });
    return new AgentProcess(identity.pid, null, identity, ended);
  }

  /** @throws Error when the system starts no process. */
  static start(command: AgentCommand): AgentProcess {
    rmSync(identityFile(command.folder), { force: true });
    const log = openSync(path.join(command.folder, 'agent.log'), 'a');
    const child = spawn(
      '/bin/sh',
      ['-c', RECORD_AND_EXEC, 'sh', identityFile(command.folder), process.execPath, command.program],
      { cwd: command.folder, detached: true, stdio: ['ignore', log, log], env: { ...command.environment } },
    );
    closeSync(log);
    child.unref();
    const ended = new Promise<ProcessEnd>((resolve) => {
      child.once('error', (error) => resolve({ clean: false, description: error.message }));
      child.once('exit', (code, signal) =>
        resolve({
          clean: code === 0,
          description: signal ? `it was ended by ${signal}` : `it exited with ${code}`,
        }),
      );
    });
    if (child.pid === undefined) throw new Error(`No process could be started in ${command.folder}.`);
    return new AgentProcess(child.pid, child, null, ended);
  }

  /** SIGKILL to it and all it started: the machine is gone. Resolves when it has ended. */
  async kill(): Promise<void> {
    this.#signal(-this.pid, 'SIGKILL');
    await this.ended;
  }

  /** Signals the agent alone. Returns whether it was there to hear it. */
  signal(signal: NodeJS.Signals): boolean {
    return this.#signal(this.pid, signal);
  }

  /** Stops it and all it started where they are, until `thaw`. */
  freeze(): void {
    this.#signal(-this.pid, 'SIGSTOP');
  }

  thaw(): void {
    this.#signal(-this.pid, 'SIGCONT');
  }

  #signal(target: number, signal: NodeJS.Signals): boolean {
    if (!this.#isOurs()) return false;
    try {
      return process.kill(target, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
      throw error;
    }
  }

  /** A child's pid is ours until its end was told to us; an adopted one's only while its identity holds. */
  #isOurs(): boolean {
    if (this.#child) return this.#child.exitCode === null && this.#child.signalCode === null;
    return this.#identity !== null && isAlive(this.#identity);
  }
}

function identityFile(folder: string): string {
  return path.join(folder, 'process');
}
