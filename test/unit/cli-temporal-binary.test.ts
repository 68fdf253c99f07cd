/** Where the Temporal server comes from: PATH, cache, download, build with Go; each that fails gives way to the next. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { anyFreePort } from '../../cli/parts/free-port';
import { findTemporalBinary } from '../../cli/parts/temporal-binary';

const WORKS = '#!/bin/sh\necho temporal version 1.5.1\n';
const FAILS = '#!/bin/sh\necho broken >&2; exit 1\n';

let folder: string;
let said: string[];
/** Nothing listens there, so a download fails at once, as without a network. */
let noNetwork: string;
beforeEach(async () => {
  noNetwork = `http://127.0.0.1:${await anyFreePort()}`;
  folder = mkdtempSync(path.join(tmpdir(), 'spotkeeper-finder-'));
  said = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

function program(file: string, text: string): string {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
  chmodSync(file, 0o755);
  return file;
}

const cached = () => path.join(folder, 'cache', 'spotkeeper', 'temporal-cli-1.5.1', 'temporal');

function find(env: NodeJS.ProcessEnv = {}) {
  return findTemporalBinary({
    env: {
      PATH: path.join(folder, 'bin'),
      XDG_CACHE_HOME: path.join(folder, 'cache'),
      SPOTKEEPER_TEMPORAL_DOWNLOAD_URL: noNetwork,
      ...env,
    },
    say: (line) => said.push(line),
  });
}

test('one on the PATH comes first', async () => {
  const onPath = program(path.join(folder, 'bin', 'temporal'), WORKS);
  program(cached(), WORKS);
  expect(await find()).toEqual({ path: onPath, origin: 'PATH' });
});

test('one on the PATH that does not run is passed over, which is said', async () => {
  program(path.join(folder, 'bin', 'temporal'), FAILS);
  program(cached(), WORKS);
  expect(await find()).toEqual({ path: cached(), origin: 'cache' });
  expect(said[0]).toMatch(/bin\/temporal is passed over: it does not run/);
});

test('a download is unpacked into the cache', async () => {
  program(path.join(folder, 'temporal'), WORKS);
  execFileSync('tar', ['-czf', 'archive.tar.gz', 'temporal'], { cwd: folder });
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url!);
    if (request.url === '/archive') return response.end(readFileSync(path.join(folder, 'archive.tar.gz')));
    const archiveUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/archive`;
    return response.end(JSON.stringify({ archiveUrl, fileToExtract: 'temporal' }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect(await find({ SPOTKEEPER_TEMPORAL_DOWNLOAD_URL: url, PATH: '' })).toEqual({
      path: cached(),
      origin: 'download',
    });
    expect(asked[0]).toMatch(/^\/cli\/v1\.5\.1\?platform=\w+&arch=\w+&format=tar\.gz$/);
  } finally {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }
});

test('without a network it is built with Go, and what is built is found the next time', async () => {
  program(
    path.join(folder, 'bin', 'go'),
    `#!/bin/sh\n[ "$1 $2" = "install github.com/temporalio/cli/cmd/temporal@v1.5.1" ] || exit 3\nprintf '${WORKS.replaceAll('\n', '\\n')}' > "$GOBIN/temporal"\n/bin/chmod 755 "$GOBIN/temporal"\n`,
  );
  expect(await find()).toEqual({ path: cached(), origin: 'build' });
  expect(said.join('\n')).toMatch(/failed \(ECONNREFUSED\)[\s\S]*about .* once for this machine/);
  expect(await find()).toEqual({ path: cached(), origin: 'cache' });
});

test('a failing build leaves nothing in the cache, and the sentence says all that was tried and what to install', async () => {
  program(path.join(folder, 'bin', 'go'), '#!/bin/sh\necho no such module >&2; exit 1\n');
  await expect(find()).rejects.toThrow(
    /no "temporal" on the PATH.*the download from 127.0.0.1:\d+ failed \(ECONNREFUSED\); the build failed \(go: no such module\)\. Install the Temporal CLI .* or set TEMPORAL_ADDRESS/,
  );
  expect(existsSync(cached())).toBe(false);
});

test('without Go the sentence says so', async () => {
  await expect(find()).rejects.toThrow('Go is not installed to build one');
});
