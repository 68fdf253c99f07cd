/**
 * The folder that outlives a start (`.spotkeeper/`): who holds it, what is kept in it.
 *
 * 1. At most one launcher at a time holds the folder: `launcher.json` names it, and a name counts for as long as that
 *    very process runs.
 * 2. Files appear whole or not at all, and only their owner can read those with secrets.
 */
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { isRunning, type ProcessIdentity, processStart } from '../parts/process-identity';
import { UsageError } from '../usage-error';

export class StateFolder {
  readonly path: string;

  constructor(folder: string) {
    this.path = folder;
    // Others may pass through, for the user that PostgreSQL runs as; what is secret is closed by itself.
    mkdirSync(folder, { recursive: true });
    chmodSync(folder, 0o711);
    mkdirSync(this.file('logs'), { recursive: true, mode: 0o700 });
  }

  file(...names: string[]): string {
    return path.join(this.path, ...names);
  }

  log(part: string): string {
    return this.file('logs', `${part}.log`);
  }

  /** Null if there is none. @throws Error if the file is broken. */
  read<T>(name: string): T | null {
    const file = this.file(name);
    if (!existsSync(file)) return null;
    try {
      return JSON.parse(readFileSync(file, 'utf8')) as T;
    } catch (error) {
      throw new Error(
        `The file ${file} cannot be read (${(error as Error).message}). Start over with --fresh.`,
      );
    }
  }

  write(name: string, value: unknown): void {
    const unfinished = this.file(`${name}.${process.pid}.new`);
    writeFileSync(unfinished, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
    renameSync(unfinished, this.file(name));
  }

  remove(name: string): void {
    rmSync(this.file(name), { recursive: true, force: true });
  }

  /** @throws UsageError if another launcher that still runs holds the folder. */
  hold(): void {
    const self: ProcessIdentity = { pid: process.pid, startedAt: processStart(process.pid)! };
    const mine = `launcher.json.${process.pid}.new`;
    this.write(mine, self);
    try {
      for (;;) {
        const holder = this.#tryHold(mine);
        if (!holder) return;
        if (isRunning(holder)) {
          throw new UsageError(
            `Spotkeeper already runs from this folder (process ${holder.pid}, state in ${this.path}). ` +
              'Stop it first with Ctrl-C where it runs, or give this start a state of its own with SPOTKEEPER_STATE_DIR.',
          );
        }
        this.#setAside(holder);
      }
    } finally {
      this.remove(mine);
    }
  }

  release(): void {
    this.remove('launcher.json');
  }

  /** Removes everything but logs, the hold on the folder and what `keep` names. */
  clear(keep: string[]): void {
    for (const name of readdirSync(this.path)) {
      // A build of the sources that runs at the same time has its scratch folder here.
      if (!['logs', 'launcher.json', ...keep].includes(name) && !name.startsWith('build-')) this.remove(name);
    }
  }

  #tryHold(mine: string): ProcessIdentity | null {
    try {
      linkSync(this.file(mine), this.file('launcher.json'));
      return null;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      return this.read<ProcessIdentity>('launcher.json') ?? { pid: 0, startedAt: 'gone' };
    }
  }

  /** Takes away a dead launcher's name; if another start was faster, gives back what was taken by mistake. */
  #setAside(dead: ProcessIdentity): void {
    const aside = `launcher.json.${process.pid}.aside`;
    try {
      renameSync(this.file('launcher.json'), this.file(aside));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw error;
    }
    const taken = this.read<ProcessIdentity>(aside);
    if (taken && (taken.pid !== dead.pid || taken.startedAt !== dead.startedAt))
      renameSync(this.file(aside), this.file('launcher.json'));
    this.remove(aside);
  }
}
