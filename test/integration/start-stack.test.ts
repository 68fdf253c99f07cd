/**
 * `npm start` from its table to its Ctrl-C, over and over on one state: what it says, what survives, what becomes of
 * parts and launchers that are killed. (The state's path has a space in it.)
 */
import { DescribeInstancesCommand, EC2Client } from '@aws-sdk/client-ec2';
import { Client, Connection } from '@temporalio/client';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { anyFreePort } from '../../cli/parts/free-port';
import { signalProcess } from '../../cli/parts/process-identity';
import { Launcher, newStateFolder, type RunFile } from '../harness/launcher';
import { markedProcesses } from '../harness/process-table';
import { MARK_VARIABLE, testFile } from '../harness/test-file';
import { until } from '../harness/until';

jest.setTimeout(120_000);

let stateFolder: string;
let launcher: Launcher;
beforeAll(async () => {
  stateFolder = newStateFolder();
  // Not the defaults, which a developer's own start may hold.
  const ports = ['api', 'temporal', 'temporalUi', 'database', 'cloud'];
  const free: Record<string, number> = {};
  for (const port of ports) free[port] = await anyFreePort();
  writeFileSync(path.join(stateFolder, 'ports.json'), JSON.stringify(free));
});
afterEach(() => launcher.dispose());

function start(...args: string[]): Launcher {
  launcher = new Launcher({ stateFolder, args: ['--speed', '60', ...args] });
  return launcher;
}

/** The simulated cloud's log says where it puts instances. */
function region(): string {
  const lines = readFileSync(path.join(stateFolder, 'logs', 'cloud.log'), 'utf8')
    .trim()
    .split('\n');
  const ready = lines.filter((line) => line.includes('"msg":"ready"')).at(-1)!;
  return (JSON.parse(ready) as { region: string }).region;
}

async function instanceIds(run: RunFile): Promise<string[]> {
  const ec2 = new EC2Client({
    region: region(),
    endpoint: run.cloudUrl!,
    credentials: { accessKeyId: 'simulated', secretAccessKey: 'simulated' },
  });
  try {
    const { Reservations = [] } = await ec2.send(new DescribeInstancesCommand({}));
    return Reservations.flatMap(({ Instances = [] }) =>
      Instances.map(({ InstanceId }) => InstanceId!),
    ).sort();
  } finally {
    ec2.destroy();
  }
}

async function onTemporal<T>(run: RunFile, work: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address: run.temporalAddress });
  try {
    return await work(new Client({ connection }));
  } finally {
    await connection.close();
  }
}

function booked(): { name: string; pid: number }[] {
  return JSON.parse(readFileSync(path.join(stateFolder, 'processes.json'), 'utf8')) as {
    name: string;
    pid: number;
  }[];
}

const pidOf = (name: string) => booked().find((entry) => entry.name === name)!.pid;
const processesLeft = () => markedProcesses(`${MARK_VARIABLE}=${testFile().mark}`);

let first: RunFile;
let launched: string[];

test('it says what runs where, and the file for programs says it too', async () => {
  first = await start('--agents', '2').ready();
  expect((await fetch(`${first.apiUrl}/ready`)).status).toBe(200);
  expect((await fetch(first.temporalUiUrl!)).status).toBe(200);
  expect(first).toMatchObject({ grpcAddress: null, clientId: expect.any(String) as string });
  expect(statSync(path.join(stateFolder, 'run.json')).mode & 0o777).toBe(0o600);
  for (const text of [first.apiUrl, first.temporalUiUrl!, first.temporalAddress, first.cloudUrl!])
    expect(launcher.output).toContain(text);
  expect(launcher.output).toContain(`--query 'ClientId="${first.clientId}"'`);
  expect(launcher.output).toContain('2 agents run on a synthetic market.');
  expect(launcher.output).toContain('Speed 60: ');
  expect(launcher.output).not.toContain(new URL(first.databaseUrl).password);
  await launcher.printed(/demo-agent-1 +agent registered/);
  launched = await instanceIds(first);
  expect(launched).toHaveLength(2);
  await onTemporal(first, (client) =>
    client.workflow.start('servedByNobody', { taskQueue: 'nobody', workflowId: 'survivor' }),
  );

  const second = new Launcher({ stateFolder });
  expect(await second.ended()).toBe(2);
  expect(second.output).toContain(`Spotkeeper already runs from this folder (process ${launcher.pid}`);

  expect(await launcher.stop()).toBe(0);
  expect(processesLeft()).toEqual([]);
  expect(existsSync(path.join(stateFolder, 'run.json'))).toBe(false);
});

test('the next start goes on: same client and tokens, workflows and instances still there, none launched again', async () => {
  const run = await start().ready();
  expect(run).toMatchObject({ clientId: first.clientId, tokens: first.tokens, apiUrl: first.apiUrl });
  expect(await instanceIds(run)).toEqual(expect.arrayContaining(launched));
  const survivor = await onTemporal(run, (client) => client.workflow.getHandle('survivor').describe());
  expect(survivor.status.name).toBe('RUNNING');
});

test('parts that are killed are started again, which is said', async () => {
  const run = await start().ready();
  for (const name of ['the API', 'the worker', 'the simulated cloud']) {
    const pid = pidOf(name);
    signalProcess(pid, 'SIGKILL');
    await launcher.printed(new RegExp(`${name} ended by SIGKILL; it is started again`, 'i'));
    await until(
      `${name} runs again`,
      () => booked().some((entry) => entry.name === name && entry.pid !== pid),
      30_000,
    );
  }
  await until('the API is ready again', async () => (await fetch(`${run.apiUrl}/ready`)).ok, 30_000);
});

test('a start after a kill -9 of the launcher ends what it left', async () => {
  await start().ready();
  const database = pidOf('the database');
  launcher.signal('SIGKILL');
  await launcher.ended().catch(() => undefined);
  const run = await start().ready();
  expect(launcher.output).toContain(`left the database running (process ${database}); it is ended first`);
  expect(run.tokens).toEqual(first.tokens);
});

test('a taken port moves to the next free one, and instances still reach the API', async () => {
  const taken = createServer().listen(Number(new URL(first.apiUrl).port), '127.0.0.1');
  await once(taken, 'listening');
  try {
    const run = await start().ready();
    expect(launcher.output).toMatch(/Port \d+ is taken, so the API moves to \d+\./);
    expect(run.apiUrl).not.toBe(first.apiUrl);
    const { agents } = JSON.parse(readFileSync(path.join(stateFolder, 'ports.json'), 'utf8')) as {
      agents: number;
    };
    expect((await fetch(`http://127.0.0.1:${agents}/health`)).status).toBe(200);
  } finally {
    taken.close();
    await once(taken, 'close');
  }
});

test('a Ctrl-C in the middle of a start leaves nothing', async () => {
  start();
  await until('the database is being started', () => booked().length > 0, 30_000);
  expect(await launcher.stop()).toBe(0);
  expect(processesLeft()).toEqual([]);
});

test('a second Ctrl-C ends at once what hangs', async () => {
  await start().ready();
  signalProcess(pidOf('the worker'), 'SIGSTOP');
  launcher.signal('SIGINT');
  await launcher.printed(/Stopping/);
  await until(
    'a second press counts as one',
    () => {
      launcher.signal('SIGINT');
      return launcher.output.includes('Forced');
    },
    5000,
    300,
  );
  const began = Date.now();
  await launcher.ended();
  expect(Date.now() - began).toBeLessThan(5000);
  expect(processesLeft()).toEqual([]);
});

test('--fresh starts over', async () => {
  const run = await start('--fresh', '--agents', '1').ready();
  expect(run.tokens.admin).not.toBe(first.tokens.admin);
  const ids = await instanceIds(run);
  expect(ids).toHaveLength(1);
  expect(launched).not.toContain(ids[0]);
  await launcher.stop();
  rmSync(stateFolder, { recursive: true });
});
