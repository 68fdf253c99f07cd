/**
 * A process that runs as part of the system, in a process group of its own so that a terminal's Ctrl-C reaches only
 * whoever started it, its output in a log file so that it outlives whoever started it.
 *
 * States: running → ended. `exited` resolves once, at the end, and never rejects.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { processStart, signalGroup, signalProcess } from './process-identity';

export interface PartOptions {
  /** What people call it, in the middle of a sentence: "the API". */
  name: string;
  command: string;
  args: string[];
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** Appended to. */
  logFile: string;
  /** Opens an IPC channel, over which our own processes say that they are ready. */
  ipc?: boolean;
  /** The user to run as; only root can ask for another. */
  user?: { uid: number; gid: number } | null;
  /** Called as soon as there is a process, before anything is awaited, so that no process goes unrecorded. */
  onSpawn?: (part: Part) => void;
}

export interface PartExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A part that did not start or ended by itself. The message says which, how and what its log says. */
export class PartError extends Error {
  override name = 'PartError';
}

export class Part {
  readonly name: string;
  readonly pid: number;
  readonly startedAt: string;
  readonly logFile: string;
  readonly exited: Promise<PartExit>;
  readonly #child: ChildProcess;
  readonly #logStart: number;
  #exit: PartExit | null = null;

  private constructor(options: PartOptions, child: ChildProcess, logStart: number) {
    this.name = options.name;
    this.logFile = options.logFile;
    this.#child = child;
    this.#logStart = logStart;
    this.pid = child.pid!;
    this.startedAt = processStart(this.pid) ?? 'ended';
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.#exit = { code, signal };
        resolve(this.#exit);
      });
    });
  }

  /** @throws PartError if the command cannot be run at all. */
  static async start(options: PartOptions): Promise<Part> {
    mkdirSync(path.dirname(options.logFile), { recursive: true });
    const logStart = existsSync(options.logFile) ? readFileSync(options.logFile).length : 0;
    const log = openSync(options.logFile, 'a', 0o600);
    try {
      const child = spawn(options.command, options.args, {
        cwd: options.cwd,
        env: options.env ?? process.env,
        detached: true,
        stdio: options.ipc ? ['ignore', log, log, 'ipc'] : ['ignore', log, log],
        ...(options.user ?? {}),
      });
      const part = child.pid === undefined ? null : new Part(options, child, logStart);
      if (part) options.onSpawn?.(part);
      await once(child, 'spawn'); // Rejects if there is no process.
      return part!;
    } catch (error) {
      throw new PartError(
        `${capital(options.name)} could not be started: ${options.command} cannot be run (${(error as Error).message}).`,
      );
    } finally {
      closeSync(log);
    }
  }

  get ended(): PartExit | null {
    return this.#exit;
  }

  /** Called with every message the process sends over its IPC channel. */
  onMessage(listener: (message: unknown) => void): void {
    this.#child.on('message', listener);
  }

  /**
   * Its `{type: 'ready', …}` message.
   * @throws PartError if it ends first or says nothing within `timeoutMs`.
   */
  async ready<T extends { type: 'ready' }>(timeoutMs: number): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    let listen: ((message: unknown) => void) | undefined;
    try {
      return await Promise.race([
        new Promise<T>((resolve) => {
          listen = (message) => {
            if ((message as { type?: unknown } | null)?.type === 'ready') resolve(message as T);
          };
          this.#child.on('message', listen);
        }),
        this.failsEarly(),
        new Promise<never>((_resolve, reject) => {
          timer = setTimeout(
            () => reject(this.failure(`was not ready within ${Math.round(timeoutMs / 1000)} s`)),
            timeoutMs,
          );
        }),
      ]);
    } finally {
      clearTimeout(timer);
      if (listen) this.#child.off('message', listen);
    }
  }

  /** Never resolves; rejects with a PartError when the process ends. */
  async failsEarly(): Promise<never> {
    const exit = await this.exited;
    throw this.failure(`ended ${describeExit(exit)}`);
  }

  failure(what: string): PartError {
    const lines = this.lastLines(12);
    const said = lines ? `Its last lines were:\n${lines.replace(/^/gm, '    ')}` : 'It printed nothing.';
    return new PartError(`${capital(this.name)} ${what}. ${said}\n  Its whole log: ${this.logFile}`);
  }

  /** The end of what this run of the process printed. */
  lastLines(count: number): string {
    const text = readFileSync(this.logFile).subarray(this.#logStart).toString('utf8').trimEnd();
    return text.split('\n').slice(-count).join('\n');
  }

  /** Asks it to end, forces it (with its group) after `graceMs`, and waits until it is gone. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', graceMs = 10_000): Promise<PartExit> {
    if (this.#exit) return this.#exit;
    signalProcess(this.pid, signal);
    const force = setTimeout(() => this.kill(), graceMs);
    try {
      return await this.exited;
    } finally {
      clearTimeout(force);
    }
  }

  /** SIGKILL to the process and its group, at once. */
  kill(): void {
    if (!this.#exit) signalGroup(this.pid, 'SIGKILL');
  }
}

export function describeExit(exit: PartExit): string {
  return exit.signal ? `by ${exit.signal}` : `with exit code ${exit.code}`;
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
