/** Our own processes, as built in dist/, under a test's control. Stop what you start; leak-check.ts looks. */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { Part } from '../../cli/parts/part';
import type { CloudReady } from '../../cli/start/node-parts';
import { signalProcess } from '../../cli/parts/process-identity';
import { ROOT, testServers } from './servers';
import { MARK_VARIABLE, testFile } from './test-file';

/** Entry points, and what each says when it is ready. */
const ENTRIES = {
  api: 'api/main.js',
  worker: 'workers/main.js',
  simulator: 'simulator/main.js',
} as const;
export type ProcessKind = keyof typeof ENTRIES;

export interface ReadyMessages {
  api: { type: 'ready'; url: string };
  worker: { type: 'ready' };
  simulator: CloudReady & { instanceTypes: string[] };
}

export interface TestProcess<R = unknown> {
  readonly pid: number;
  /** What it said when it became ready, last time it was started. */
  readonly ready: R;
  /** Everything it has printed, over all its starts. */
  readonly logFile: string;
  /** kill -9; resolves when it is gone. */
  kill(): Promise<void>;
  /** Asks it to end and waits; false if it had to be forced. */
  stop(): Promise<boolean>;
  /** Starts it again (after ending it with kill -9 if it runs) with the same or changed environment and arguments. */
  restart(changes?: { env?: NodeJS.ProcessEnv; args?: string[] }): Promise<void>;
  /** Resolves when it ends, for a process that is expected to. */
  exited(): Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

let count = 0;

/**
 * Starts one of our processes and waits until it is ready.
 * @param env added to this process's environment.
 * @throws PartError with its last lines when it ends first or isn't ready within 30 s.
 */
export async function startProcess<K extends ProcessKind>(
  kind: K,
  env: NodeJS.ProcessEnv = {},
  args: string[] = [],
): Promise<TestProcess<ReadyMessages[K]>> {
  return startNode<ReadyMessages[K]>(kind, path.join(ROOT, 'dist', ENTRIES[kind]), env, args);
}

/** The same for any script that says `{type: 'ready'}` over IPC. */
export async function startNode<R extends { type: 'ready' }>(
  name: string,
  script: string,
  env: NodeJS.ProcessEnv = {},
  args: string[] = [],
): Promise<TestProcess<R>> {
  const books = testFile();
  const folder = path.join(testServers().folder, books.mark);
  mkdirSync(folder, { recursive: true });
  const logFile = path.join(folder, `${name}-${++count}.log`);
  books.logs.set(`${name} ${count}`, logFile);

  const start = async (): Promise<{ part: Part; ready: R }> => {
    const part = await Part.start({
      name: `the test's ${name}`,
      command: process.execPath,
      args: [script, ...args],
      env: { ...process.env, ...env, [MARK_VARIABLE]: books.mark },
      logFile,
      ipc: true,
    });
    try {
      return { part, ready: await part.ready<R>(30_000) };
    } catch (error) {
      part.kill();
      await part.exited;
      throw error;
    }
  };

  let current = await start();
  const kill = async () => {
    // The process alone: what becomes of its children is part of what a test wants to see.
    if (!current.part.ended) signalProcess(current.part.pid, 'SIGKILL');
    await current.part.exited;
  };
  return {
    get pid() {
      return current.part.pid;
    },
    get ready() {
      return current.ready;
    },
    logFile,
    kill,
    stop: async () => (await current.part.stop()).signal !== 'SIGKILL',
    restart: async (changes = {}) => {
      await kill();
      env = { ...env, ...changes.env };
      args = changes.args ?? args;
      current = await start();
    },
    exited: () => current.part.exited,
  };
}
