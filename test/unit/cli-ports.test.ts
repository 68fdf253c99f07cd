/** Ports: kept over starts, moved when taken. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { anyFreePort, firstFreePort } from '../../cli/parts/free-port';
import { choosePorts } from '../../cli/start/ports';
import { StateFolder } from '../../cli/start/state-folder';

let folder: string;
let state: StateFolder;
const servers: Server[] = [];
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'spotkeeper-ports-'));
  state = new StateFolder(folder);
});
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.close();
    await once(server, 'close');
  }
  rmSync(folder, { recursive: true });
});

async function occupy(port: number, host: string): Promise<void> {
  const server = createServer().listen(port, host);
  servers.push(server);
  await once(server, 'listening');
}

test.each(['127.0.0.1', '0.0.0.0'])('a port taken on %s is passed over', async (host) => {
  const port = await anyFreePort();
  await occupy(port, host);
  expect(await firstFreePort(port)).toBeGreaterThan(port);
});

test('a taken port moves to the next free one, which is said and kept', async () => {
  const said: string[] = [];
  const port = await anyFreePort();
  state.write('ports.json', { api: port });
  await occupy(port, '127.0.0.1');
  const moved = await choosePorts(state, ['api'], false, (line) => said.push(line));
  expect(moved.api).toBeGreaterThan(port);
  expect(said).toEqual([`Port ${port} is taken, so the API moves to ${moved.api}.`]);
  expect(await choosePorts(state, ['api'], false, (line) => said.push(line))).toEqual(moved);
  expect(said).toHaveLength(1);
});

test('two parts never get one port', async () => {
  const port = await anyFreePort();
  state.write('ports.json', { api: port, cloud: port });
  const ports = await choosePorts(state, ['api', 'cloud'], false, () => undefined);
  expect(ports.api).toBe(port);
  expect(ports.cloud).not.toBe(port);
});

test('the port that instances were told does not move while there are instances', async () => {
  const port = await anyFreePort();
  state.write('ports.json', { agents: port });
  await occupy(port, '127.0.0.1');
  await expect(choosePorts(state, [], true, () => undefined)).rejects.toThrow(
    `Port ${port} on 127.0.0.1 is taken by another program.`,
  );
  expect((await choosePorts(state, [], false, () => undefined)).agents).toBeGreaterThan(port);
});
