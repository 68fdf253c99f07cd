/**
 * A private Python environment with the packages of python-requirements.txt, in the user's cache so that every checkout
 * shares it. Made at its first use; a change of the packages or of the Python makes another.
 */
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { cacheFolder } from '../../cli/parts/temporal-binary';

const REQUIREMENTS = path.join(__dirname, 'python-requirements.txt');
const INSTALLER = path.join(__dirname, 'python-install.py');
/** The minor versions of Python 3 that the lock holds wheels for. */
const MINORS = [14, 13, 12, 11, 10, 9];

export interface PythonEnvironment {
  /** The interpreter; run it with `-I`, so that nothing of the person's own Python comes in. */
  python: string;
  /** Installed version by package, as in `versions['moto']`. */
  versions: Record<string, string>;
}

/**
 * @param say hears what a person who waits for an install wants to know.
 * @throws Error, a sentence on what to install, if there is no Python that fits or the packages can't be had.
 */
export async function pythonEnvironment(
  env: NodeJS.ProcessEnv = process.env,
  say: (line: string) => void = (line) => void process.stderr.write(`${line}\n`),
): Promise<PythonEnvironment> {
  const lock = readFileSync(REQUIREMENTS, 'utf8');
  const base = await findPython(env);
  const hash = createHash('sha256').update(lock).update(readFileSync(INSTALLER)).update(base.identity);
  const folder = path.join(cacheFolder(env), `python-${hash.digest('hex').slice(0, 16)}`);
  const python = path.join(folder, 'bin', 'python');
  if (!(await answers(python, env))) await install(base.python, folder, env, say);
  return { python, versions: versionsIn(lock) };
}

/** What keeps other Pythons' packages out of ours, for running anything in it. */
export function isolated(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^(PYTHON|VIRTUAL_ENV)/.test(name)));
}

async function findPython(env: NodeJS.ProcessEnv): Promise<{ python: string; identity: string }> {
  const question =
    'import sys, platform; print(sys.version_info[0], sys.version_info[1], sys.version, sys.executable, platform.machine())';
  const passedOver: string[] = [];
  for (const name of ['python3', ...MINORS.map((minor) => `python3.${minor}`)]) {
    const identity = await answer(name, ['-I', '-c', question], env);
    if (identity === null) continue;
    const [major, minor] = identity.split(' ').map(Number);
    if (major === 3 && MINORS.includes(minor!)) return { python: name, identity };
    passedOver.push(`${name} is ${major}.${minor}`);
  }
  throw new Error(
    `These tests need Python 3.9 to 3.14 as "python3" on the PATH, and there is none${passedOver.length > 0 ? ` (${passedOver.join(', ')})` : ''}: ` +
      'install it (Debian: apt-get install python3; macOS: xcode-select --install) and run the tests again.',
  );
}

/** What a command prints, or null if it is not there or fails (a pyenv shim without a version behind it does). */
async function answer(command: string, args: string[], env: NodeJS.ProcessEnv): Promise<string | null> {
  try {
    const { stdout } = await promisify(execFile)(command, args, { env: isolated(env), timeout: 30_000 });
    return stdout.trim();
  } catch {
    return null;
  }
}

async function answers(python: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  return (await answer(python, ['-I', '-c', 'import encodings'], env)) !== null;
}

async function install(
  python: string,
  folder: string,
  env: NodeJS.ProcessEnv,
  say: (line: string) => void,
): Promise<void> {
  const child = spawn(python, ['-I', INSTALLER, REQUIREMENTS, folder], {
    env: isolated(env),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaints += text));
  createInterface(child.stdout).on('line', say);
  const [code] = (await once(child, 'close')) as [number | null];
  if (code === 0) return;
  const said = complaints.trim().split('\n').slice(-6).join('\n    ');
  throw new Error(
    `The Python packages of the tests could not be installed in ${folder} (they come from PyPI, or the index that pip is set to use). Python said:\n    ${said}`,
  );
}

function versionsIn(lock: string): Record<string, string> {
  return Object.fromEntries(
    [...lock.matchAll(/^([\w.-]+)==([^\s;]+)/gm)].map(([, name, version]) => [name, version]),
  );
}
