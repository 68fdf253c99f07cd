// What every command does before it can use anything installed: checks Node.js, installs packages where they are
// missing or not those of the lockfile, builds. Plain JavaScript without dependencies.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** What keeps a command from starting, in a sentence for the person at the terminal. */
export class BootstrapError extends Error {}

/** Does all of it; `quiet` moves what is said to stderr, for commands whose stdout is read by programs. */
export async function bootstrap({ quiet = false } = {}) {
  const say = quiet ? console.error : console.log;
  checkNode();
  if (!packagesAreCurrent()) await installPackages(say, quiet);
  const { build } = await import('./build.mjs');
  const start = Date.now();
  let built;
  try {
    built = await build();
  } catch (error) {
    throw new BootstrapError(`The sources could not be built: ${error.message}`);
  }
  if (built) say(`Built in ${seconds(start)}.`);
}

export function checkNode(version = process.versions.node) {
  const [major, minor] = version.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  throw new BootstrapError(
    `Spotkeeper needs Node.js 20.19 or newer; this is ${version}. Install a newer one.`,
  );
}

/** Whether what npm noted of its last installation is what the lockfile asks for. */
export function packagesAreCurrent(folder = root) {
  const noted = path.join(folder, 'node_modules', '.package-lock.json');
  if (!existsSync(noted)) return false;
  const read = (file) => JSON.parse(readFileSync(file, 'utf8')).packages;
  const installed = read(noted);
  const wanted = read(path.join(folder, 'package-lock.json'));
  // Packages of other platforms are optional and not there.
  return Object.entries(wanted).every(
    ([name, { version, optional }]) =>
      name === '' || installed[name]?.version === version || (optional && !(name in installed)),
  );
}

async function installPackages(say, quiet) {
  say('Installing packages with npm ci (about a minute) …');
  const start = Date.now();
  const report = setInterval(() => say(`  installing for ${seconds(start)} …`), 15_000);
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel', 'error'];
  const child = spawn('npm', args, {
    cwd: root,
    stdio: ['ignore', quiet ? 2 : 'inherit', 'inherit'],
  });
  try {
    const [code] = await once(child, 'exit');
    if (code !== 0) {
      throw new BootstrapError(
        `The packages could not be installed: npm ci ended with exit code ${code}. What it printed above says why; ` +
          'it needs the npm registry once.',
      );
    }
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    throw new BootstrapError('The packages could not be installed: there is no npm on the PATH.');
  } finally {
    clearInterval(report);
  }
  say(`Installed in ${seconds(start)}.`);
}

function seconds(since) {
  return `${((Date.now() - since) / 1000).toFixed(1)} s`;
}
