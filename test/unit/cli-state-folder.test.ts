/** Who holds the state folder, and what is kept in it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { processStart } from '../../cli/parts/process-identity';
import { StateFolder } from '../../cli/start/state-folder';

let folder: string;
beforeEach(() => (folder = mkdtempSync(path.join(tmpdir(), 'spotkeeper-state-'))));
afterEach(() => rmSync(folder, { recursive: true }));

test('one that runs keeps others out', async () => {
  const other = spawn('sleep', ['60'], { stdio: 'ignore' });
  try {
    const state = new StateFolder(folder);
    state.write('launcher.json', { pid: other.pid, startedAt: processStart(other.pid!) });
    expect(() => state.hold()).toThrow(`Spotkeeper already runs from this folder (process ${other.pid}`);
  } finally {
    other.kill('SIGKILL');
    await once(other, 'exit');
  }
});

test('one that has ended keeps nobody out, even when its pid was given to another', () => {
  const state = new StateFolder(folder);
  state.write('launcher.json', { pid: process.ppid, startedAt: 'another time' });
  state.hold();
  expect(state.read('launcher.json')).toEqual({ pid: process.pid, startedAt: processStart(process.pid) });
  state.release();
  expect(existsSync(state.file('launcher.json'))).toBe(false);
});

test('what is kept can be read by its owner only', () => {
  const state = new StateFolder(folder);
  state.write('client.json', { token: 'x' });
  expect(statSync(state.file('client.json')).mode & 0o777).toBe(0o600);
  expect(state.read('client.json')).toEqual({ token: 'x' });
  expect(state.read('absent.json')).toBeNull();
});

test('a broken file is told with its name', () => {
  const state = new StateFolder(folder);
  writeFileSync(state.file('ports.json'), '{');
  expect(() => state.read('ports.json')).toThrow(`${state.file('ports.json')} cannot be read`);
});

test('starting over keeps the logs, the hold and what is named', () => {
  const state = new StateFolder(folder);
  state.hold();
  for (const name of ['client.json', 'cloud', 'temporal.db']) state.write(name, {});
  state.clear(['cloud']);
  expect(['client.json', 'temporal.db'].some((name) => existsSync(state.file(name)))).toBe(false);
  expect(['cloud', 'launcher.json', 'logs'].every((name) => existsSync(state.file(name)))).toBe(true);
});
