/** What is on the simulated cloud's disks: it follows a volume, a snapshot and an image, and outlives kill -9. */
import {
  AttachVolumeCommand,
  CreateImageCommand,
  CreateSnapshotCommand,
  CreateVolumeCommand,
  DeleteSnapshotCommand,
  DeleteVolumeCommand,
  DescribeInstancesCommand,
  DescribeSnapshotsCommand,
  DescribeVolumesCommand,
  DetachVolumeCommand,
  EC2Client,
  RunInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import type { RunInstancesCommandInput } from '@aws-sdk/client-ec2';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Simulator, startSimulator } from '../harness/simulator';
import { until } from '../harness/until';
import { control, type InstanceView } from './simulator-control';

/** Stands in for what runs on an instance: writes something down when it is told to end. */
const PROGRAM = `
const fs = require('node:fs');
const path = require('node:path');
const home = process.env.SPOT_AGENT_HOME;
process.on('SIGTERM', () => {
  fs.writeFileSync(path.join(home, 'flushed'), 'at the end');
  process.exit(0);
});
fs.writeFileSync(path.join(home, 'started'), '');
setInterval(() => undefined, 1000);
`;

let folder: string;
let simulator: Simulator;
let ec2: EC2Client;
let zone: string;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'disk-files-'));
  writeFileSync(path.join(folder, 'program.js'), PROGRAM);
  const instant = ['boot', 'shutdown', 'image', 'snapshot', 'volume', 'consistency'].flatMap((what) => [
    `--${what}-seconds`,
    '0',
  ]);
  simulator = await startSimulator(
    ...['--agent-program', path.join(folder, 'program.js'), '--restart-seconds', '0.1', ...instant],
    ...['--state', path.join(folder, 'state')],
  );
  await control(simulator, '/pools/give-back', {});
  zone = `${simulator.ready.region}a`;
  ec2 = new EC2Client({
    region: simulator.ready.region,
    endpoint: simulator.ready.cloudUrl,
    credentials: { accessKeyId: 'AKID', secretAccessKey: 'secret' },
    maxAttempts: 1,
  });
});

afterAll(async () => {
  ec2?.destroy();
  await simulator?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const inState = (...names: string[]) => path.join(folder, 'state', ...names);
/** Launches, and returns the id once the program runs there, or (of an image with its file) the root disk is there. */
async function launch(changes: Partial<RunInstancesCommandInput> = {}): Promise<string> {
  const { Instances } = await ec2.send(
    new RunInstancesCommand({
      ImageId: simulator.ready.imageId,
      InstanceType: 'p3.2xlarge',
      MinCount: 1,
      MaxCount: 1,
      Placement: { AvailabilityZone: zone },
      ...changes,
    }),
  );
  const id = Instances?.[0]?.InstanceId as string;
  await until(`${id} runs its program`, () => existsSync(path.join(homeOf(id), 'started')), 10_000);
  return id;
}
const homeOf = (id: string) => inState('instances', id, 'spot-agent');
/** A data disk as the instance sees it. */
const mounted = (id: string, name: string, ...file: string[]) =>
  inState('instances', id, 'volumes', name, ...file);
const terminate = (id: string) => ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));

async function makeVolume(SnapshotId?: string): Promise<string> {
  const size = SnapshotId === undefined ? { Size: 5 } : { SnapshotId };
  const made = await ec2.send(
    new CreateVolumeCommand({ AvailabilityZone: zone, VolumeType: 'gp3', ...size }),
  );
  return made.VolumeId as string;
}
async function attach(VolumeId: string, InstanceId: string, name: string): Promise<void> {
  await ec2.send(new AttachVolumeCommand({ VolumeId, InstanceId, Device: `/dev/${name}` }));
  await until(`${VolumeId} is mounted`, () => existsSync(mounted(InstanceId, name)), 5000);
}
const makeSnapshot = async (VolumeId: string) =>
  (await ec2.send(new CreateSnapshotCommand({ VolumeId }))).SnapshotId as string;
async function volumeAt(instanceId: string, device: string): Promise<string> {
  const { Reservations } = await ec2.send(new DescribeInstancesCommand({ InstanceIds: [instanceId] }));
  const disks = Reservations?.[0]?.Instances?.[0]?.BlockDeviceMappings ?? [];
  return disks.find(({ DeviceName }) => DeviceName === device)?.Ebs?.VolumeId as string;
}
/** So many that copying them takes a while. */
const FILES = 1000;
function fill(disk: string): void {
  for (let number = 0; number < FILES; number++)
    writeFileSync(path.join(disk, `file-${number}`), `${number}`);
}

test('a volume takes its files along, and so does what is made of its snapshot', async () => {
  const [first, second] = [await launch(), await launch()];
  const id = await makeVolume();
  await attach(id, first, 'xvdf');
  writeFileSync(mounted(first, 'xvdf', 'data'), 'carried');
  const snapshotId = await makeSnapshot(id);
  writeFileSync(mounted(first, 'xvdf', 'later'), 'not in the snapshot');
  await ec2.send(new DetachVolumeCommand({ VolumeId: id }));
  await until('it is gone from the first', () => !existsSync(mounted(first, 'xvdf')), 5000);
  await attach(id, second, 'xvdg');
  expect(readFileSync(mounted(second, 'xvdg', 'data'), 'utf8')).toBe('carried');
  await attach(await makeVolume(snapshotId), first, 'xvdh');
  expect(readdirSync(mounted(first, 'xvdh'))).toEqual(['data']);
});

test('an image holds every disk of its instance, and what was flushed for the reboot', async () => {
  const id = await launch({ BlockDeviceMappings: [{ DeviceName: '/dev/xvdf', Ebs: { VolumeSize: 3 } }] });
  await until('the disk is mounted', () => existsSync(mounted(id, 'xvdf')), 5000);
  writeFileSync(mounted(id, 'xvdf', 'data'), 'on the data disk');
  const quiet = await ec2.send(new CreateImageCommand({ InstanceId: id, Name: 'quiet', NoReboot: true }));
  const { ImageId } = await ec2.send(new CreateImageCommand({ InstanceId: id, Name: 'rebooted' }));
  await until(
    'it runs again',
    async () => {
      const view = await control<InstanceView>(simulator, `/instances/${id}`);
      return view.agent_pid !== null;
    },
    5000,
  );

  const copy = await launch({ ImageId });
  expect(readFileSync(path.join(homeOf(copy), 'flushed'), 'utf8')).toBe('at the end');
  await until('the copy has its data disk', () => existsSync(mounted(copy, 'xvdf')), 5000);
  expect(readFileSync(mounted(copy, 'xvdf', 'data'), 'utf8')).toBe('on the data disk');
  writeFileSync(mounted(copy, 'xvdf', 'data'), 'changed on the copy');
  expect(readFileSync(mounted(id, 'xvdf', 'data'), 'utf8')).toBe('on the data disk');
  expect(readdirSync(homeOf(await launch({ ImageId: quiet.ImageId })))).toEqual(['started']);
});

test('an ended instance leaves a volume behind; its own files can be read as long as it is shown', async () => {
  const id = await launch({ BlockDeviceMappings: [{ DeviceName: '/dev/xvdf', Ebs: { VolumeSize: 3 } }] });
  await until('the disk is mounted', () => existsSync(mounted(id, 'xvdf')), 5000);
  const [root, data] = [await volumeAt(id, '/dev/xvda'), await volumeAt(id, '/dev/xvdf')];
  writeFileSync(mounted(id, 'xvdf', 'data'), 'left behind');
  await terminate(id);
  await until('the root volume is gone', () => !existsSync(inState('volumes', root)), 5000);
  await until('the data disk is not mounted', () => !existsSync(mounted(id, 'xvdf')), 5000);
  expect(readdirSync(homeOf(id))).toContain('started');
  const heir = await launch();
  await attach(data, heir, 'xvdf');
  expect(readFileSync(mounted(heir, 'xvdf', 'data'), 'utf8')).toBe('left behind');
});

test('what is deleted has no folder any more', async () => {
  const volumeId = await makeVolume();
  const snapshotId = await makeSnapshot(volumeId);
  const copy = await makeVolume(snapshotId);
  await until('the copy has its files', () => existsSync(inState('volumes', copy)), 5000);
  expect(existsSync(inState('snapshots', snapshotId))).toBe(true);
  await ec2.send(new DeleteSnapshotCommand({ SnapshotId: snapshotId }));
  await ec2.send(new DeleteVolumeCommand({ VolumeId: copy }));
  await until(
    'both are gone',
    () => !existsSync(inState('snapshots', snapshotId)) && !existsSync(inState('volumes', copy)),
    5000,
  );
});

test('a large copy holds up no other call, and a kill in its middle neither loses nor leaves anything', async () => {
  const id = await launch();
  const volumeId = await makeVolume();
  await attach(volumeId, id, 'xvdf');
  fill(mounted(id, 'xvdf'));
  let answered = false;
  const first = makeSnapshot(volumeId).finally(() => (answered = true));
  await ec2.send(new DescribeVolumesCommand({ VolumeIds: [volumeId] }));
  expect(answered).toBe(false);
  await ec2.send(new DeleteSnapshotCommand({ SnapshotId: await first }));

  const isHalfDone = () => readdirSync(inState('snapshots')).some((name) => name.endsWith('.new'));
  const unanswered = makeSnapshot(volumeId).catch((error: Error) => error);
  await until('the copy is under way', isHalfDone, 5000, 2);
  mkdirSync(inState('volumes', 'vol-stray'));
  mkdirSync(inState('instances', 'i-stray'));
  await simulator.restart();
  expect(await unanswered).toBeInstanceOf(Error);
  await until('an instance’s stray folder is gone', () => !existsSync(inState('instances', 'i-stray')), 5000);
  expect(readdirSync(inState('volumes'))).not.toContain('vol-stray');
  const { Snapshots = [] } = await ec2.send(
    new DescribeSnapshotsCommand({ Filters: [{ Name: 'volume-id', Values: [volumeId] }] }),
  );
  expect(Snapshots).toMatchObject([{ State: 'completed' }]);
  const known = (await ec2.send(new DescribeSnapshotsCommand({}))).Snapshots ?? [];
  expect(readdirSync(inState('snapshots')).sort()).toEqual(known.map(({ SnapshotId }) => SnapshotId).sort());
  await attach(await makeVolume(Snapshots[0]?.SnapshotId), id, 'xvdg');
  expect(readdirSync(mounted(id, 'xvdg'))).toHaveLength(FILES);
});
