/** The Python environment that the contract suite and the foreign clients run in: how it comes to be, and moto in it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { startMoto } from '../harness/moto';
import { pythonEnvironment } from '../harness/python-environment';
import { ROOT, testServers } from '../harness/servers';
import { testFile } from '../harness/test-file';

const INSTALLING_MS = 180_000;
const folder = (name: string) => path.join(testServers().folder, testFile().mark, name);

test(
  'moto answers as soon as it is started, and knows its version',
  async () => {
    const moto = await startMoto();
    try {
      expect(moto.version).toMatch(/^\d+\.\d+\.\d+$/);
      const answer = await fetch(`${moto.url}/moto-api/reset`, { method: 'POST' });
      expect(await answer.json()).toEqual({ status: 'ok' });
    } finally {
      await moto.stop();
    }
    await expect(fetch(moto.url)).rejects.toThrow();
  },
  INSTALLING_MS,
);

test(
  'moto ends with the process that started it, even one that is killed',
  async () => {
    const { python } = await pythonEnvironment();
    const parent = spawn(
      process.execPath,
      [
        '-e',
        `const { spawn } = require('node:child_process');
       const moto = spawn(...${JSON.stringify([python, ['-I', path.join(ROOT, 'test/harness/moto-server.py')]])});
       moto.stderr.pipe(process.stdout);`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const url = await new Promise<string>((resolve) => {
      createInterface(parent.stdout).on('line', (line) => {
        const found = /http:\/\/127\.0\.0\.1:\d+/.exec(line);
        if (found) resolve(found[0]);
      });
    });
    expect((await fetch(`${url}/moto-api/reset`, { method: 'POST' })).status).toBe(200);
    parent.kill('SIGKILL');
    await once(parent, 'close'); // Its stdout, which moto holds as well, closes when both are gone.
    await expect(fetch(url)).rejects.toThrow();
  },
  INSTALLING_MS,
);

test('without a Python the sentence says what to install', async () => {
  const empty = folder('empty');
  mkdirSync(empty, { recursive: true });
  await expect(pythonEnvironment({ PATH: empty }, () => undefined)).rejects.toThrow(
    /^These tests need Python 3\.9 to 3\.14 as "python3" on the PATH, and there is none: install it \(.*\) and run the tests again\.$/,
  );
});

test('an install that fails says why and keeps nothing, for two runs at once as for one', async () => {
  const cache = folder('cache');
  const env = {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    XDG_CACHE_HOME: cache,
    // Nothing listens on the discard port, so pip fails as without a network.
    PIP_INDEX_URL: 'http://127.0.0.1:9/',
    PIP_RETRIES: '0',
    PIP_NO_CACHE_DIR: '1',
  };
  const said: string[] = [];
  const tried = await Promise.allSettled([1, 2].map(() => pythonEnvironment(env, (line) => said.push(line))));
  for (const result of tried) {
    expect(result).toMatchObject({
      status: 'rejected',
      reason: { message: expect.stringMatching(/could not be installed in .*annotated-types/s) },
    });
  }
  expect(said).toContainEqual(expect.stringMatching(/^Waiting for another run/));
  expect(readdirSync(path.join(cache, 'spotkeeper'))).toEqual([
    expect.stringMatching(/^python-[0-9a-f]{16}\.lock$/),
  ]);
});
