/** What keeps `npm start` from starting: each is a sentence and an exit code, and leaves nothing running. */
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { anyFreePort } from '../../cli/parts/free-port';
import { createTestDatabase, type TestDatabase } from '../harness/database';
import { Launcher, type LauncherOptions, newStateFolder } from '../harness/launcher';
import { testServers } from '../harness/servers';

let database: TestDatabase;
let launcher: Launcher;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterEach(() => launcher.dispose());
afterAll(() => database.drop());

async function start(options: Partial<LauncherOptions>) {
  launcher = new Launcher({ stateFolder: newStateFolder(), ...options });
  const code = await launcher.ended();
  return { code, output: launcher.output, left: readdirSync(launcher.stateFolder) };
}

/** Switches the parts that a test isn't about to what need not be started. */
const realTemporal = () => ({ TEMPORAL_ADDRESS: testServers().temporalAddress });
const realDatabase = () => ({ DATABASE_URL: database.url });

function fakeProgram(name: string, text: string): string {
  const folder = newStateFolder('bin');
  writeFileSync(path.join(folder, name), text);
  chmodSync(path.join(folder, name), 0o755);
  return folder;
}

test.each([
  [['--agents', 'many'], 'The flag --agents got "many"; it takes a whole number from 0 to 100.'],
  [['--speed', '-3'], 'The flag --speed got "-3"; it takes a number from 1 to 10000.'],
  [['--traces', '/no/such'], 'The flag --traces got "/no/such"; it takes a folder of recorded markets'],
  [['--turbo'], "Unknown option '--turbo'.\n(start takes --fresh, --agents N, --speed N and --traces DIR)"],
  [
    ['up'],
    'start got "up", which it has no use for; it takes --fresh, --agents N, --speed N and --traces DIR.',
  ],
])('the flags %j', async (args, sentence) => {
  const { code, output, left } = await start({ args });
  expect(output).toContain(sentence);
  expect(code).toBe(2);
  expect(left).toEqual([]);
});

test('flags that npm kept for itself', async () => {
  const { code, output } = await start({ env: { npm_lifecycle_event: 'start', npm_config_speed: '60' } });
  expect(output).toContain(
    'npm kept --speed for itself. Put two dashes before the flags: npm start -- --speed',
  );
  expect(code).toBe(2);
});

test('a bad environment variable', async () => {
  const { code, output, left } = await start({ env: { TEMPORAL_ADDRESS: 'somewhere' } });
  expect(output).toContain(
    'The environment variable TEMPORAL_ADDRESS is not usable: got "somewhere"; it takes host:port of a Temporal server',
  );
  expect(code).toBe(2);
  expect(left).toEqual([]);
});

test('a database that is not there', async () => {
  const port = await anyFreePort();
  const { code, output } = await start({
    env: { ...realTemporal(), DATABASE_URL: `postgres://me:geheim@127.0.0.1:${port}/x` },
  });
  expect(output).toMatch(/The database that DATABASE_URL names \(.*\) takes no login: .*ECONNREFUSED/);
  expect(output).toContain('unset DATABASE_URL for the embedded one');
  expect(output).not.toContain('geheim');
  expect(code).toBe(1);
});

test('a database that takes no such login', async () => {
  const url = new URL(database.url);
  url.password = 'wrong';
  const { code, output } = await start({ env: { ...realTemporal(), DATABASE_URL: url.href } });
  expect(output).toMatch(/takes no login: password authentication failed/);
  expect(code).toBe(1);
});

test('a Temporal server that is not there', async () => {
  const address = `127.0.0.1:${await anyFreePort()}`;
  const { code, output } = await start({ env: { ...realDatabase(), TEMPORAL_ADDRESS: address } });
  expect(output).toContain(`No Temporal server answers at ${address} (TEMPORAL_ADDRESS)`);
  expect(code).toBe(1);
});

test('a namespace that is not there', async () => {
  const { code, output } = await start({
    env: { ...realDatabase(), ...realTemporal(), TEMPORAL_NAMESPACE: 'nowhere' },
  });
  expect(output).toMatch(/gives no access to the namespace "nowhere" \(TEMPORAL_NAMESPACE\)/);
  expect(output).toContain('temporal operator namespace create --namespace nowhere');
  expect(code).toBe(1);
});

test('a Temporal program that fails', async () => {
  const folder = fakeProgram(
    'temporal',
    '#!/bin/sh\n[ "$1" = --version ] && exec echo temporal version 1.5.1\necho the disk is full >&2\nexit 4\n',
  );
  const { code, output } = await start({ env: { ...realDatabase(), PATH: `${folder}:${process.env.PATH}` } });
  expect(output).toMatch(
    /The Temporal server ended with exit code 4\. Its last lines were:\s+the disk is full\s+Its whole log: .*temporal\.log/,
  );
  expect(code).toBe(1);
});

test('no Temporal program and no way to get one', async () => {
  const { code, output } = await start({
    env: {
      ...realDatabase(),
      PATH: '/nowhere',
      XDG_CACHE_HOME: newStateFolder('cache'),
      SPOTKEEPER_TEMPORAL_DOWNLOAD_URL: `http://127.0.0.1:${await anyFreePort()}`,
    },
  });
  expect(output).toMatch(/There is no Temporal server: .*Go is not installed.*Install the Temporal CLI/);
  expect(code).toBe(1);
});

test('an embedded database whose files are broken', async () => {
  const stateFolder = newStateFolder();
  mkdirSync(path.join(stateFolder, 'postgres'));
  writeFileSync(path.join(stateFolder, 'postgres', 'PG_VERSION'), '18\n');
  writeFileSync(path.join(stateFolder, 'database.json'), '{"password":"x"}');
  if (process.getuid?.() === 0) execFileSync('chown', ['-R', 'postgres', path.join(stateFolder, 'postgres')]);
  chmodSync(path.join(stateFolder, 'postgres'), 0o700);
  const { code, output } = await start({ stateFolder, env: realTemporal() });
  expect(output).toMatch(/The database ended with exit code \d[\s\S]*postgresql\.conf/);
  expect(code).toBe(1);
});

test('a state that was made with another database', async () => {
  const stateFolder = newStateFolder();
  writeFileSync(
    path.join(stateFolder, 'world.json'),
    '{"database":"postgresql://other/x","temporal":"embedded","cloud":"simulated"}',
  );
  const { code, output } = await start({ stateFolder });
  expect(output).toContain(
    'was made with the database "postgresql://other/x", and this start asks for "embedded"',
  );
  expect(code).toBe(1);
  expect(existsSync(path.join(stateFolder, 'launcher.json'))).toBe(false);
});
