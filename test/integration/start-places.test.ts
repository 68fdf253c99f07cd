/** Where and as whom `npm start` works: any path, root or not, and with servers of the person's own. */
import { Connection } from '@temporalio/client';
import { type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  symlinkSync,
} from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { canEnter } from '../../cli/parts/postgres-user';
import { createTestDatabase, type TestDatabase } from '../harness/database';
import { Launcher, newStateFolder } from '../harness/launcher';
import { ROOT, testServers } from '../harness/servers';
import { uniqueTaskQueue } from '../harness/temporal';
import { until } from '../harness/until';

jest.setTimeout(120_000);

const IS_ROOT = process.getuid?.() === 0;
const NOBODY = { uid: 65_534, gid: 65_534 };

let launcher: Launcher | undefined;
let database: TestDatabase | undefined;
afterEach(async () => {
  await launcher?.dispose();
  await database?.drop();
  launcher = database = undefined;
});

/** The checkout's sources under another path; what is installed is shared. */
function copyCheckout(): string {
  const copy = newStateFolder('a checkout with spaces');
  const left = ['node_modules', 'dist', '.git', '.spotkeeper', 'test', 'coverage'];
  for (const name of readdirSync(ROOT).filter((entry) => !left.includes(entry)))
    cpSync(path.join(ROOT, name), path.join(copy, name), { recursive: true });
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(copy, 'node_modules'));
  return copy;
}

async function ownNamespace(): Promise<string> {
  const namespace = uniqueTaskQueue();
  const connection = await Connection.connect({ address: testServers().temporalAddress });
  try {
    await connection.workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: { seconds: 86_400 as never },
    });
    await until(
      'the namespace is known',
      () => connection.workflowService.describeNamespace({ namespace }),
      30_000,
    );
  } finally {
    await connection.close();
  }
  return namespace;
}

const booked = (stateFolder: string) =>
  (JSON.parse(readFileSync(path.join(stateFolder, 'processes.json'), 'utf8')) as { name: string }[])
    .map(({ name }) => name)
    .sort();

test('from a checkout with spaces in its path, built there', async () => {
  const checkout = copyCheckout();
  launcher = new Launcher({ stateFolder: newStateFolder(), checkout, args: ['--agents', '0'] });
  await launcher.ready();
  expect(launcher.output).toMatch(/^Built in /);
  expect(existsSync(path.join(checkout, 'dist', 'cli', 'main.js'))).toBe(true);
  expect(await launcher.stop()).toBe(0);

  const options: SpawnOptions = { cwd: checkout, stdio: ['ignore', 'pipe', 'inherit'] };
  const args = [path.join(checkout, 'bin', 'spotkeeper.mjs'), 'cloud', '--json', '--boot', 'none'];
  const cloud = spawn(process.execPath, args, options);
  try {
    for await (const line of createInterface({ input: cloud.stdout! })) {
      expect(JSON.parse(line)).toMatchObject({ cloudUrl: expect.stringMatching(/^http:/) as string });
      break;
    }
  } finally {
    cloud.kill('SIGTERM');
    await once(cloud, 'close');
  }
});

test('with a database and a Temporal server of one’s own, no others are started', async () => {
  database = await createTestDatabase();
  const namespace = await ownNamespace();
  const stateFolder = newStateFolder();
  launcher = new Launcher({
    stateFolder,
    args: ['--agents', '0'],
    env: {
      DATABASE_URL: database.url,
      TEMPORAL_ADDRESS: testServers().temporalAddress,
      TEMPORAL_NAMESPACE: namespace,
    },
  });
  const run = await launcher.ready();
  expect(run).toMatchObject({
    databaseUrl: database.url,
    temporalAddress: testServers().temporalAddress,
    temporalUiUrl: null,
  });
  expect(booked(stateFolder)).toEqual(['the API', 'the simulated cloud', 'the worker']);
  expect(launcher.output).toContain(`namespace ${namespace}`);
  expect(await launcher.stop()).toBe(0);
});

(IS_ROOT ? test : test.skip)(
  'as root, the database is kept where its user can reach it, which is said',
  async () => {
    const closed = newStateFolder('closed');
    chmodSync(closed, 0o700);
    const stateFolder = path.join(closed, 'state');
    launcher = new Launcher({ stateFolder, args: ['--agents', '0'] });
    await launcher.ready();
    const said = await launcher.printed(
      /The database's files are in (\/var\/lib\/spotkeeper\/\w+\/postgres)/,
    );
    const folder = said.split(' are in ')[1]!;
    expect(existsSync(path.join(folder, 'PG_VERSION'))).toBe(true);
    expect(await launcher.stop()).toBe(0);

    // Starting over removes that folder too; the broken setting stops the start right after.
    launcher = new Launcher({ stateFolder, args: ['--fresh'], env: { PATH: '/nowhere' } });
    await launcher.ended();
    expect(existsSync(folder)).toBe(false);
  },
);

(IS_ROOT && canEnter(ROOT, NOBODY) ? test : test.skip)('as a user who is not root', async () => {
  const stateFolder = newStateFolder();
  chownSync(stateFolder, NOBODY.uid, NOBODY.gid);
  mkdirSync(path.join(stateFolder, 'home'));
  launcher = new Launcher({
    stateFolder,
    args: ['--agents', '0'],
    user: NOBODY,
    env: {
      HOME: path.join(stateFolder, 'home'),
      TEMPORAL_ADDRESS: testServers().temporalAddress,
      TEMPORAL_NAMESPACE: `${await ownNamespace()}`,
    },
  });
  await launcher.ready();
  expect(existsSync(path.join(stateFolder, 'postgres', 'PG_VERSION'))).toBe(true);
  expect(await launcher.stop()).toBe(0);
});
