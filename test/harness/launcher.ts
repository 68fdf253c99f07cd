/** `npm start` under a test's control: a launcher of its own, in a state folder of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT, testServers } from './servers';
import { MARK_VARIABLE, testFile } from './test-file';

export interface LauncherOptions {
  stateFolder: string;
  args?: string[];
  env?: NodeJS.ProcessEnv;
  /** Another checkout than this one. */
  checkout?: string;
  /** The user to run as. */
  user?: { uid: number; gid: number };
}

export interface RunFile {
  apiUrl: string;
  temporalAddress: string;
  temporalUiUrl: string | null;
  databaseUrl: string;
  cloudUrl: string | null;
  clientId: string;
  tokens: { admin: string; client: string; user: string };
}

let count = 0;

/** A folder for a state of this file's own, which any user can enter; it goes when the file is done. */
export function newStateFolder(name = 'state'): string {
  const folder = path.join(testServers().folder, testFile().mark, `${name} ${++count}`);
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  return folder;
}

/** Variables of the person who runs the tests that would switch embedded parts for real ones. */
const SWITCHES = /^(AWS_|TEMPORAL_|DATABASE_URL$|npm_|INIT_CWD$|HOST$|API_PUBLIC_URL$)/;

export class Launcher {
  output = '';
  readonly stateFolder: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  readonly #listeners = new Set<() => void>();

  constructor(options: LauncherOptions) {
    this.stateFolder = options.stateFolder;
    const own = Object.entries(process.env).filter(([name]) => !SWITCHES.test(name));
    const script = path.join(options.checkout ?? ROOT, 'bin', 'start.mjs');
    this.#child = spawn(process.execPath, [script, ...(options.args ?? [])], {
      cwd: options.checkout ?? ROOT,
      env: {
        ...Object.fromEntries(own),
        SPOTKEEPER_STATE_DIR: options.stateFolder,
        [MARK_VARIABLE]: testFile().mark,
        ...options.env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      ...options.user,
    });
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
        for (const listener of this.#listeners) listener();
      });
    }
    this.#ended = once(this.#child, 'close').then(([code]) => code as number | null);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Resolves when it has printed a text that matches; rejects with its output when it ends first. */
  async printed(pattern: RegExp): Promise<string> {
    let look: (() => void) | undefined;
    try {
      return await Promise.race([
        new Promise<string>((resolve) => {
          look = () => {
            const found = pattern.exec(this.output);
            if (found) resolve(found[0]);
          };
          this.#listeners.add(look);
          look();
        }),
        this.#ended.then((code) => {
          throw new Error(`The launcher ended with ${code} before it printed ${pattern}:\n${this.output}`);
        }),
      ]);
    } finally {
      if (look) this.#listeners.delete(look);
    }
  }

  /** Up, with the fleet launched; the addresses it wrote. */
  async ready(): Promise<RunFile> {
    await this.printed(/What happens from here on:/);
    return JSON.parse(readFileSync(path.join(this.stateFolder, 'run.json'), 'utf8')) as RunFile;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** The exit code, when it ends by itself. */
  ended(): Promise<number | null> {
    return this.#ended;
  }

  /** Ctrl-C. */
  async stop(): Promise<number | null> {
    this.signal('SIGINT');
    return this.#ended;
  }

  /** For afterEach: nothing if it has ended. */
  async dispose(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.stop();
  }
}
