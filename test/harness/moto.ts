/** moto's server as a process of a test file's own: another imitation of AWS, to hold our simulated cloud against. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { isolated, pythonEnvironment } from './python-environment';
import { testServers } from './servers';
import { MARK_VARIABLE, testFile } from './test-file';

export interface Moto {
  /** Serves every service of AWS that moto knows, as `AWS_ENDPOINT_URL` takes it. `POST /moto-api/reset` empties it. */
  url: string;
  version: string;
  stop(): Promise<void>;
}

let count = 0;

/**
 * Starts one with nothing in it, on a free port; it also ends when this process does. Installs it first where it is not
 * there yet, which takes half a minute: give a `beforeAll` 180 s.
 * @throws Error, with the end of its log, when it ends before it serves.
 */
export async function startMoto(): Promise<Moto> {
  const { python, versions } = await pythonEnvironment();
  const books = testFile();
  const folder = path.join(testServers().folder, books.mark);
  mkdirSync(folder, { recursive: true });
  const name = `moto ${++count}`;
  const logFile = path.join(folder, `${name}.log`);
  books.logs.set(name, logFile);
  const log = createWriteStream(logFile);

  // Of a person's AWS settings it is to know nothing.
  const env = { PATH: process.env.PATH, HOME: folder, [MARK_VARIABLE]: books.mark };
  const child = spawn(python, ['-I', path.join(__dirname, 'moto-server.py')], {
    env: isolated(env),
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  const closed = once(child, 'close');
  const lines: string[] = [];
  const url = await new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    createInterface(child.stderr).on('line', (line) => {
      log.write(`${line}\n`);
      lines.push(line);
      // Printed once it listens.
      const found = / Running on (http:\/\/127\.0\.0\.1:\d+)/.exec(line);
      if (found) resolve(found[1]!);
    });
    child.once('close', (code) =>
      reject(
        new Error(
          `moto ended with exit code ${code} before it served. It said:\n${lines.slice(-8).join('\n')}`,
        ),
      ),
    );
  });
  return {
    url,
    version: versions['moto']!,
    stop: async () => {
      child.stdin.end();
      await closed;
      log.end();
    },
  };
}
