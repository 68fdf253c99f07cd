/**
 * The environment every test file runs in. When the file and all its afterAll hooks are done, it fails the file if it
 * left behind: processes (children of this one, or started by the harness and their descendants, wherever they were
 * re-parented), databases or connections to them, or open sockets, servers and watchers. It is an environment and not a
 * setup file, because a setup file's afterAll would run before the file's own.
 *
 * When a test fails, it also shows the end of what the file's processes printed.
 */
import type { Circus } from '@jest/types';
import { TestEnvironment } from 'jest-environment-node';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { connectionsLeft, onServer } from './database';
import { children, markedProcesses, describeProcess } from './process-table';
import { testServers } from './servers';
import { MARK_VARIABLE, type TestFileBooks, openBooks } from './test-file';
import { until } from './until';

/** What `process.getActiveResourcesInfo()` calls the things that must not stay open. */
const RESOURCES = [
  'TCPSocketWrap',
  'TCPServerWrap',
  'PipeWrap',
  'UDPWrap',
  'TLSWrap',
  'ProcessWrap',
  'FSEventWrap',
];
/** Closing takes a moment after the call that asked for it. */
const GRACE_MS = 3000;
const SHOWN_LINES = 25;

export default class LeakCheckEnvironment extends TestEnvironment {
  #books!: TestFileBooks;
  #resourcesBefore = new Map<string, number>();
  #childrenBefore = new Set<number>();
  #failed = false;

  override async setup(): Promise<void> {
    await super.setup();
    this.#books = openBooks(this.global, randomBytes(5).toString('hex'));
    // Everything the file starts inherits the mark, with the harness or without: from the realm's copy of the
    // environment where that is passed on, and from the process's own where none is given.
    (this.global.process as NodeJS.Process).env[MARK_VARIABLE] = this.#books.mark;
    process.env[MARK_VARIABLE] = this.#books.mark;
    this.#resourcesBefore = openResources();
    this.#childrenBefore = new Set(children());
  }

  handleTestEvent = async (event: Circus.Event, state: Circus.State): Promise<void> => {
    if (event.name === 'test_done' && event.test.errors.length > 0) this.#failed = true;
    if (event.name !== 'run_finish') return;
    if (this.#failed || state.unhandledErrors.length > 0) this.#showLogs();
    const leaks = await this.#leaks();
    if (leaks.length > 0) {
      const error = new Error(
        `This test file left behind:\n${leaks.map((leak) => `  - ${leak}`).join('\n')}`,
      );
      error.stack = error.message; // Where the check was made helps nobody.
      state.unhandledErrors.push(error);
    }
    rmSync(path.join(testServers().folder, this.#books.mark), { recursive: true, force: true });
  };

  async #leaks(): Promise<string[]> {
    // Settled resources first: the check of the databases opens a connection of its own.
    await until('all is closed', () => this.#openNow().length === 0, GRACE_MS).catch(() => undefined);
    const leaks = [...this.#books.leaks, ...this.#openNow()];
    for (const pid of this.#processes()) kill(pid);
    for (const name of this.#books.databases) {
      leaks.push(`its database ${name} (call drop() in afterAll)`);
      await onServer(async (client) => {
        const left = await connectionsLeft(client, name);
        if (left.length > 0) leaks.push(`connections to its database ${name}: ${left.join('; ')}`);
        await client.query(`drop database if exists ${client.escapeIdentifier(name)} with (force)`);
      });
    }
    return leaks;
  }

  #openNow(): string[] {
    const found = this.#processes().map((pid) => `the process ${describeProcess(pid)}`);
    for (const [kind, count] of openResources()) {
      const more = count - (this.#resourcesBefore.get(kind) ?? 0);
      if (more > 0) found.push(`${more} open ${kind}`);
    }
    return found;
  }

  #processes(): number[] {
    const own = children().filter((pid) => !this.#childrenBefore.has(pid));
    return [...new Set([...own, ...markedProcesses(`${MARK_VARIABLE}=${this.#books.mark}`)])];
  }

  #showLogs(): void {
    for (const [name, file] of this.#books.logs) {
      if (!existsSync(file)) continue;
      const lines = readFileSync(file, 'utf8').trimEnd().split('\n').slice(-SHOWN_LINES);
      process.stderr.write(`--- the end of what ${name} printed ---\n${lines.join('\n')}\n`);
    }
  }
}

function openResources(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) {
    if (RESOURCES.includes(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
