/** Ports: kept over starts, moved when taken. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { anyFreePort, firstFreePort } from '../../cli/parts/free-port';
import { Ports } from '../../cli/start/ports';
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
  const moved = await new Ports(state, (line) => said.push(line)).take('api');
  expect(moved).toBeGreaterThan(port);
  expect(said).toEqual([`Port ${port} is taken, so the API moves to ${moved}.`]);
  expect(await new Ports(state, (line) => said.push(line)).take('api')).toBe(moved);
  expect(said).toHaveLength(1);
});

test('two parts never get one port, even when both ask at once', async () => {
  const port = await anyFreePort();
  state.write('ports.json', { api: port, cloud: port });
  const ports = new Ports(state, () => undefined);
  const [api, cloud] = await Promise.all([ports.take('api'), ports.take('cloud')]);
  expect(api).toBe(port);
  expect(cloud).toBeGreaterThan(port);
});

test('the port that instances were told does not move while there are instances', async () => {
  const port = await anyFreePort();
  state.write('ports.json', { agents: port });
  await occupy(port, '127.0.0.1');
  const ports = new Ports(state, () => undefined);
  await expect(ports.takeForAgents(true)).rejects.toThrow(
    `Port ${port} on 127.0.0.1 is taken by another program.`,
  );
  expect(await ports.takeForAgents(false)).toBeGreaterThan(port);
});
