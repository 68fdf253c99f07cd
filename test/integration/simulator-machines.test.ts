/** What runs on simulated instances: metadata, agent processes, images, and all of it over kill -9 of the simulator. */
import {
  CreateImageCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  EC2Client,
  RunInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import type { Instance, RunInstancesCommandInput } from '@aws-sdk/client-ec2';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ROOT } from '../harness/servers';
import { type Simulator, startSimulator } from '../harness/simulator';
import { MARK_VARIABLE } from '../harness/test-file';
import { until } from '../harness/until';
import { control, type InstanceView, metadata, metadataToken, nextEvent } from './simulator-control';

/** Stands in for what runs on an instance: writes who it is and counts its starts, ends with 0 when a file says so. */
const PROGRAM = `
const fs = require('node:fs');
const path = require('node:path');
const home = process.env.SPOT_AGENT_HOME;
const file = path.join(home, 'starts.json');
const starts = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : [];
starts.push({ pid: process.pid, environment: Object.keys(process.env).sort(), home });
fs.writeFileSync(file + '.new', JSON.stringify(starts));
fs.renameSync(file + '.new', file);
process.on('SIGTERM', () => process.exit(0));
setInterval(() => fs.existsSync(path.join(home, 'finish')) && process.exit(0), 20);
`;

let folder: string;
let simulator: Simulator;
let ec2: EC2Client;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'machines-'));
  writeFileSync(path.join(folder, 'program.js'), PROGRAM);
  simulator = await startSimulator(
    ...['--agent-program', path.join(folder, 'program.js'), '--pass-environment', MARK_VARIABLE],
    ...[
      '--boot-seconds',
      '0',
      '--shutdown-seconds',
      '0',
      '--image-seconds',
      '0.2',
      '--restart-seconds',
      '0.1',
    ],
    ...['--consistency-seconds', '0'],
  );
  await control(simulator, '/pools/give-back', {});
  ec2 = new EC2Client({
    region: simulator.ready.region,
    endpoint: simulator.ready.cloudUrl,
    credentials: { accessKeyId: 'AKID', secretAccessKey: 'secret' },
  });
});

afterAll(async () => {
  ec2?.destroy();
  await simulator?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function launch(changes: Partial<RunInstancesCommandInput> = {}): Promise<string> {
  const { Instances } = await ec2.send(
    new RunInstancesCommand({
      ImageId: simulator.ready.imageId,
      InstanceType: 'p3.2xlarge',
      MinCount: 1,
      MaxCount: 1,
      InstanceMarketOptions: { MarketType: 'spot' },
      ...changes,
    }),
  );
  return Instances?.[0]?.InstanceId as string;
}
const view = (id: string) => control<InstanceView>(simulator, `/instances/${id}`);
const describeInstance = async (id: string): Promise<Instance | undefined> => {
  const { Reservations } = await ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }));
  return Reservations?.[0]?.Instances?.[0];
};
const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0) && !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
};

/** What the program on an instance has written once it has started a number of times. */
async function starts(
  id: string,
  count: number,
): Promise<{ pid: number; environment: string[]; home: string }[]> {
  const { agent_home } = await view(id);
  const file = path.join(agent_home, 'starts.json');
  const read = () => (existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : []);
  await until(`${id} has started ${count} times`, () => read().length >= count, 10_000);
  return read();
}

async function lastEvent(): Promise<number> {
  return (await control<{ number: number }[]>(simulator, '/events/list')).at(-1)?.number ?? 0;
}

describe('metadata', () => {
  test('is for holders of a session token, on the instance’s own port and the shared one', async () => {
    const id = await launch({ UserData: Buffer.from('{"hello":"wörld"}').toString('base64') });
    await nextEvent(simulator, 'agent-started', { instanceId: id });
    const { metadata_url, zone } = await view(id);
    for (const endpoint of [metadata_url, `${simulator.ready.imdsUrl}/${id}`]) {
      const read = async (what: string) => (await metadata(endpoint, what)).text;
      expect(await read('meta-data/instance-id')).toBe(id);
      expect(await read('meta-data/instance-type')).toBe('p3.2xlarge');
      expect(await read('meta-data/ami-id')).toBe(simulator.ready.imageId);
      expect(await read('meta-data/placement/availability-zone')).toBe(zone);
      expect(await read('meta-data/placement/region')).toBe(simulator.ready.region);
      expect(await read('meta-data/instance-life-cycle')).toBe('spot');
      expect(await read('meta-data/local-ipv4')).toMatch(/^10\./);
      expect(await read('user-data')).toBe('{"hello":"wörld"}');
      expect((await read('meta-data/')).split('\n')).toContain('placement/');
      expect(JSON.parse(await read('dynamic/instance-identity/document'))).toMatchObject({
        accountId: simulator.ready.accountId,
        region: simulator.ready.region,
        instanceId: id,
        availabilityZone: zone,
      });
      expect((await metadata(endpoint, 'meta-data/spot/instance-action')).status).toBe(404);
      expect((await metadata(endpoint, 'meta-data/__proto__')).status).toBe(404);
      expect((await metadata(endpoint, 'meta-data/instance-id', 'nonsense')).status).toBe(401);
      expect((await fetch(`${endpoint}/latest/meta-data/instance-id`)).status).toBe(401);
      await expect(metadataToken(endpoint, '0')).rejects.toThrow('400');
      await expect(metadataToken(endpoint, '21601')).rejects.toThrow('400');
    }
    const other = await launch();
    await nextEvent(simulator, 'agent-started', { instanceId: other });
    const foreign = await metadataToken((await view(other)).metadata_url);
    expect((await metadata(metadata_url, 'meta-data/instance-id', foreign)).status).toBe(401);
  });

  test('tells of a rebalance recommendation', async () => {
    const id = await launch();
    await nextEvent(simulator, 'agent-started', { instanceId: id });
    const { metadata_url } = await view(id);
    const rebalance = 'meta-data/events/recommendations/rebalance';
    expect((await metadata(metadata_url, rebalance)).status).toBe(404);
    await control(simulator, `/instances/${id}/rebalance`, {});
    const { noticeTime } = JSON.parse((await metadata(metadata_url, rebalance)).text);
    expect(Math.abs(Date.parse(noticeTime) - Date.now())).toBeLessThan(5000);
  });
});

describe('an interruption', () => {
  test('is told in the metadata of each spot instance of the pool, which is taken at its time', async () => {
    const [id, onDemand] = [await launch(), await launch({ InstanceMarketOptions: undefined })];
    const { pid } = await nextEvent(simulator, 'agent-started', { instanceId: id });
    await nextEvent(simulator, 'agent-started', { instanceId: onDemand });
    const { metadata_url, zone } = await view(id);
    await control(simulator, '/pools/take', { zone, instance_type: 'p3.2xlarge' });
    const action = JSON.parse((await metadata(metadata_url, 'meta-data/spot/instance-action')).text);
    expect(action).toEqual({ action: 'terminate', time: expect.stringMatching(/^\d{4}-.*:\d\dZ$/) });
    const left = Date.parse(action.time) - Date.now();
    expect(left).toBeGreaterThan(110_000);
    expect(left).toBeLessThanOrEqual(120_000);
    expect((await metadata(metadata_url, 'meta-data/spot/termination-time')).text).toBe(action.time);
    expect((await view(onDemand)).notice).toBeNull();
    expect(isAlive(pid as number)).toBe(true);
    await control(simulator, '/pools/give-back', {});
  });

  test('whose time has come kills the process and closes the metadata', async () => {
    const id = await launch();
    const { pid } = await nextEvent(simulator, 'agent-started', { instanceId: id });
    const { metadata_url } = await view(id);
    await control(simulator, `/instances/${id}/notice`, { seconds: 0.5 });
    await nextEvent(simulator, 'instance-terminated', { instanceId: id });
    await until('the process is gone', () => !isAlive(pid as number), 5000);
    const answers = () =>
      fetch(metadata_url).then(
        () => true,
        () => false,
      );
    await until('the metadata is closed', async () => !(await answers()), 5000);
    expect(await describeInstance(id)).toMatchObject({
      State: { Name: 'terminated' },
      StateReason: { Code: 'Server.SpotInstanceTermination' },
    });
  });

  test('without notice comes at once', async () => {
    const id = await launch();
    const { pid } = await nextEvent(simulator, 'agent-started', { instanceId: id });
    await control(simulator, `/instances/${id}/vanish`, {});
    await until('the process is gone', () => !isAlive(pid as number), 5000);
    expect((await describeInstance(id))?.StateReason?.Code).toBe('Server.SpotInstanceTermination');
  });
});

describe('agent processes', () => {
  test('get their instance’s metadata, their home and nothing of ours', async () => {
    const id = await launch();
    const [first] = await starts(id, 1);
    expect(first?.environment.filter((name) => !['PWD', 'SHLVL', '_', 'OLDPWD'].includes(name))).toEqual(
      ['AWS_EC2_METADATA_SERVICE_ENDPOINT', 'HOME', MARK_VARIABLE, 'PATH', 'SPOT_AGENT_HOME'].sort(),
    );
  });

  test('are started again when they fail, and not when they finish', async () => {
    const id = await launch();
    await starts(id, 1);
    await control(simulator, `/instances/${id}/crash`, {});
    const [first, second] = await starts(id, 2);
    expect(second?.pid).not.toBe(first?.pid);
    const after = await lastEvent();
    writeFileSync(path.join(second?.home as string, 'finish'), '');
    await nextEvent(simulator, 'agent-ended', { instanceId: id, after });
    await simulator.restart();
    const other = await launch();
    await nextEvent(simulator, 'agent-started', { instanceId: other });
    expect((await view(id)).agent_pid).toBeNull();
    expect(await starts(id, 2)).toHaveLength(2);
  });

  test('are started again when their machine reboots, though they end without an error', async () => {
    const id = await launch();
    const [first] = await starts(id, 1);
    await control(simulator, `/instances/${id}/reboot`, {});
    const [, second] = await starts(id, 2);
    expect(second?.pid).not.toBe(first?.pid);
  });

  test('end with their instance', async () => {
    const id = await launch();
    const pid = (await starts(id, 1))[0]?.pid as number;
    await ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
    await until('the process is gone', () => !isAlive(pid), 5000);
  });
});

describe('images', () => {
  test('are pending, then available, and carry their maker’s files', async () => {
    const id = await launch();
    const home = (await starts(id, 1))[0]?.home as string;
    writeFileSync(path.join(home, 'kept.txt'), 'from the first');
    const made = await ec2.send(
      new CreateImageCommand({
        InstanceId: id,
        Name: 'backup-1',
        NoReboot: true,
        TagSpecifications: [{ ResourceType: 'image', Tags: [{ Key: 'for', Value: 'test' }] }],
      }),
    );
    const imageId = made.ImageId as string;
    writeFileSync(path.join(home, 'later.txt'), 'not in the image');
    const image = async () =>
      (await ec2.send(new DescribeImagesCommand({ ImageIds: [imageId] }))).Images?.[0];
    expect(await image()).toMatchObject({
      ImageId: imageId,
      State: 'pending',
      Name: 'backup-1',
      OwnerId: simulator.ready.accountId,
      SourceInstanceId: id,
      Tags: [{ Key: 'for', Value: 'test' }],
    });
    await expect(launch({ ImageId: imageId })).rejects.toMatchObject({ name: 'InvalidAMIID.Unavailable' });
    await nextEvent(simulator, 'image-available');
    expect((await image())?.State).toBe('available');
    const own = await ec2.send(new DescribeImagesCommand({ Owners: ['self'] }));
    expect(own.Images?.map((known) => known.ImageId)).toEqual([imageId]);
    await expect(
      ec2.send(new CreateImageCommand({ InstanceId: id, Name: 'backup-1' })),
    ).rejects.toMatchObject({
      name: 'InvalidAMIName.Duplicate',
    });

    expect((await starts(id, 1)).length).toBe(1);
    const copy = await launch({ ImageId: imageId });
    const history = await starts(copy, 2);
    expect(history[0]?.home).toBe(home);
    const copyHome = history[1]?.home as string;
    expect(copyHome).not.toBe(home);
    expect(readFileSync(path.join(copyHome, 'kept.txt'), 'utf8')).toBe('from the first');
    expect(existsSync(path.join(copyHome, 'later.txt'))).toBe(false);
  });

  test('reboot their instance unless told not to', async () => {
    const id = await launch();
    await starts(id, 1);
    await ec2.send(new CreateImageCommand({ InstanceId: id, Name: 'backup-2' }));
    expect(await starts(id, 2)).toHaveLength(2);
    expect((await describeInstance(id))?.State?.Name).toBe('running');
  });
});

describe('a restart of the simulator', () => {
  test('after kill -9 finds instances, tokens, notices, metadata and living agents as they were', async () => {
    const id = await launch({ ClientToken: 'over-the-kill' });
    const { pid } = await nextEvent(simulator, 'agent-started', { instanceId: id });
    const before = await view(id);
    const launched = (await describeInstance(id))?.LaunchTime;
    const token = await metadataToken(before.metadata_url);
    await control(simulator, `/instances/${id}/notice`, { seconds: 600 });
    const { cloudUrl, controlUrl } = simulator.ready;
    await simulator.restart();
    expect(simulator.ready).toMatchObject({ cloudUrl, controlUrl });
    await nextEvent(simulator, 'agent-adopted', { instanceId: id });
    expect(await view(id)).toMatchObject({ ...before, notice: { action: 'terminate' } });
    expect((await describeInstance(id))?.LaunchTime).toEqual(launched);
    expect(isAlive(pid as number)).toBe(true);
    expect(await starts(id, 1)).toHaveLength(1);
    expect((await metadata(before.metadata_url, 'meta-data/instance-id', token)).text).toBe(id);
    expect(await launch({ ClientToken: 'over-the-kill' })).toBe(id);
    await control(simulator, `/instances/${id}/vanish`, {});
    await until('the adopted process is gone', () => !isAlive(pid as number), 5000);
  });

  test('after a clean stop starts the agents again, which the stop had killed', async () => {
    const id = await launch();
    const pid = (await starts(id, 1))[0]?.pid as number;
    expect(await simulator.stop()).toBe(true);
    expect(isAlive(pid)).toBe(false);
    await simulator.restart();
    expect(await starts(id, 2)).toHaveLength(2);
  });

  test('with other flags than the state’s is refused with a sentence, as is a state in use', async () => {
    const state = path.join(folder, 'small');
    const run = (...args: string[]) => {
      const main = path.join(ROOT, 'dist', 'simulator', 'main.js');
      return spawnSync(process.execPath, [main, '--boot', 'none', ...args], {
        encoding: 'utf8',
        timeout: 20_000,
      });
    };
    const inUse = path.dirname(path.dirname(path.dirname((await view(await launch())).agent_home)));
    expect(run('--state', inUse)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('is using it'),
    });
    const small = await startSimulator('--boot', 'none', '--state', state);
    await small.stop();
    for (const flags of [
      ['--speed', '2'],
      ['--synthetic', '9'],
      ['--account', '111111111111'],
    ]) {
      expect(run('--state', state, ...flags)).toMatchObject({
        status: 2,
        stderr: expect.stringMatching(/is another cloud's: .*--fresh to start over/),
      });
    }
    const fresh = await startSimulator('--boot', 'none', '--speed', '2', '--state', state, '--fresh');
    await fresh.stop();
    expect(run('--nonsense')).toMatchObject({ status: 2, stderr: expect.stringContaining('--nonsense') });
  });
});
