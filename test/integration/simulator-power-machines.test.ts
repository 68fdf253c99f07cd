/** What stopping, starting, hibernating and rebooting an instance do to the process that runs on it. */
import { RebootInstancesCommand } from '@aws-sdk/client-ec2';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Simulator, startSimulator } from '../harness/simulator';
import { until } from '../harness/until';
import { ENCRYPTED_ROOT, ON_DEMAND, persistent, SimulatedEc2 } from './simulator-client';
import { metadata, nextEvent } from './simulator-control';
import type { InstanceView } from './simulator-control';

/** Says hello and goodbye in its home, and counts in its memory. */
const PROGRAM = `
const { appendFileSync, writeFileSync, existsSync } = require('node:fs');
const home = process.env.SPOT_AGENT_HOME;
appendFileSync(home + '/said', 'hello ' + process.pid + '\\n');
let count = 0;
setInterval(() => {
  writeFileSync(home + '/count', String(++count));
  if (existsSync(home + '/finish')) process.exit(0);
}, 20);
process.on('SIGTERM', () => {
  appendFileSync(home + '/said', 'goodbye ' + process.pid + '\\n');
  process.exit(0);
});
`;

let folder: string;
let simulator: Simulator;
let ec2: SimulatedEc2;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'power-'));
  writeFileSync(path.join(folder, 'program.js'), PROGRAM);
  const instant = ['boot', 'shutdown', 'restart', 'consistency'].flatMap((what) => [
    `--${what}-seconds`,
    '0',
  ]);
  simulator = await startSimulator(
    ...['--agent-program', path.join(folder, 'program.js'), '--synthetic', '3', '--region', 'us-east-1'],
    ...instant,
  );
  ec2 = new SimulatedEc2(simulator);
  await ec2.control('/pools/give-back', {});
});
afterAll(async () => {
  ec2?.close();
  await simulator?.stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Machine {
  id: string;
  pid: number;
  home: string;
}

async function boot(changes: Parameters<SimulatedEc2['launch']>[0] = ON_DEMAND): Promise<Machine> {
  const { InstanceId: id } = await ec2.launch(changes);
  const { pid } = await nextEvent(simulator, 'agent-started', { instanceId: id });
  const { agent_home } = await view(id);
  await until('it counts', () => existsSync(path.join(agent_home, 'count')), 5000);
  return { id, pid: pid as number, home: agent_home };
}
const view = (id: string) => ec2.control<InstanceView>(`/instances/${id}`);
const said = ({ home }: Machine) => readFileSync(path.join(home, 'said'), 'utf8').trim().split('\n');
const count = ({ home }: Machine) => Number(readFileSync(path.join(home, 'count'), 'utf8'));
/** Of /proc: R or S of one that lives, T of one that is frozen; empty when it is gone. */
const processState = (pid: number): string => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
  } catch {
    return '';
  }
};
const isGone = (pid: number) => ['', 'Z', 'X'].includes(processState(pid));
const able = { ...ON_DEMAND, ...ENCRYPTED_ROOT, HibernationOptions: { Configured: true } };

test('a stop lets it say goodbye, and a start runs it anew with its files', async () => {
  const machine = await boot();
  writeFileSync(path.join(machine.home, 'kept'), 'on the disk');
  const { metadata_url } = await view(machine.id);
  await ec2.stop(machine.id);
  await until('it is gone', () => isGone(machine.pid), 5000);
  expect(said(machine).at(-1)).toBe(`goodbye ${machine.pid}`);
  await until(
    'nobody reaches it',
    () =>
      fetch(metadata_url).then(
        () => false,
        () => true,
      ),
    5000,
  );
  await ec2.start(machine.id);
  await until('it runs again', () => said(machine).length === 3, 5000);
  const { agent_pid } = await view(machine.id);
  expect(said(machine).at(-1)).toBe(`hello ${agent_pid}`);
  expect(readFileSync(path.join(machine.home, 'kept'), 'utf8')).toBe('on the disk');
});

test('a forced stop is no time for goodbyes', async () => {
  const machine = await boot();
  await ec2.stop(machine.id, { Force: true });
  await until('it is gone', () => isGone(machine.pid), 5000);
  expect(said(machine)).toEqual([`hello ${machine.pid}`]);
});

test('one that has finished runs again when its machine boots, or is rebooted', async () => {
  const machine = await boot();
  for (const again of ['reboot', 'start'] as const) {
    const before = said(machine).length;
    writeFileSync(path.join(machine.home, 'finish'), '');
    await until('it has finished', async () => (await view(machine.id)).agent_pid === null, 5000);
    rmSync(path.join(machine.home, 'finish'));
    if (again === 'reboot') {
      await ec2.client.send(new RebootInstancesCommand({ InstanceIds: [machine.id] }));
    } else {
      await ec2.stop(machine.id);
      await until('it is stopped', async () => (await ec2.stateOf(machine.id)) === 'stopped', 5000);
      await ec2.start(machine.id);
    }
    await until('it runs again', () => said(machine).length === before + 1, 5000);
  }
});

test('a reboot tells a running one, and runs it again', async () => {
  const machine = await boot();
  await ec2.client.send(new RebootInstancesCommand({ InstanceIds: [machine.id] }));
  await until('it runs again', () => said(machine).length === 3, 5000);
  expect(said(machine)[1]).toBe(`goodbye ${machine.pid}`);
  expect((await ec2.one(machine.id)).State?.Name).toBe('running');
});

describe('hibernation', () => {
  test('freezes it with its memory, over a kill of the simulator too, and it goes on where it was', async () => {
    const machine = await boot(able);
    await ec2.stop(machine.id, { Hibernate: true });
    await until('it is frozen', () => processState(machine.pid) === 'T', 5000);
    const counted = count(machine);
    await simulator.kill();
    await simulator.restart();
    expect(processState(machine.pid)).toBe('T');
    expect(count(machine)).toBe(counted);
    await ec2.start(machine.id);
    await until('it counts on', () => count(machine) > counted, 5000);
    expect(said(machine)).toEqual([`hello ${machine.pid}`]);
    const { metadata_url, agent_pid } = await view(machine.id);
    expect(agent_pid).toBe(machine.pid);
    expect((await metadata(metadata_url, 'meta-data/instance-id')).text).toBe(machine.id);
  });

  test('of EC2 gives no two minutes; what is taken from it later dies frozen', async () => {
    const spot = { ...persistent({ behavior: 'hibernate' as const }), ...ENCRYPTED_ROOT };
    const machine = await boot({ ...spot, HibernationOptions: { Configured: true } });
    await ec2.setCapacity(false);
    await until('it is frozen', () => processState(machine.pid) === 'T', 5000);
    await until('it is stopped', async () => (await ec2.stateOf(machine.id)) === 'stopped', 5000);
    await ec2.terminate(machine.id);
    await until('it is gone', () => isGone(machine.pid), 5000);
    await ec2.setCapacity(true);
  });

  test('loses its memory when the simulator is stopped cleanly', async () => {
    const machine = await boot(able);
    await ec2.stop(machine.id, { Hibernate: true });
    await until('it is frozen', () => processState(machine.pid) === 'T', 5000);
    await simulator.stop();
    expect(isGone(machine.pid)).toBe(true);
    await simulator.restart();
    await ec2.start(machine.id);
    await until('it runs anew', () => said(machine).length === 2, 5000);
  });
});

test('an interruption that stops lets it say goodbye, and capacity runs it again', async () => {
  const machine = await boot(persistent());
  await ec2.control(`/instances/${machine.id}/notice`, { seconds: 0.2 });
  await until('it is gone', () => isGone(machine.pid), 5000);
  expect(said(machine)[1]).toBe(`goodbye ${machine.pid}`);
  // Its pool is there, so EC2 starts it again at once.
  await until('it runs again', () => said(machine).length === 3, 5000);
  const { metadata_url } = await view(machine.id);
  expect((await metadata(metadata_url, 'meta-data/spot/instance-action')).status).toBe(404);
  const past = (await metadata(metadata_url, 'meta-data/spot/termination-time')).text;
  expect(Date.parse(past)).toBeLessThan(Date.now());
});
