/** A simulated cloud whose clock stands still, and the calls on images, snapshots and volumes as its tests make them. */
import {
  AttachVolumeCommand,
  CreateImageCommand,
  CreateSnapshotCommand,
  CreateVolumeCommand,
  DeleteSnapshotCommand,
  DeleteVolumeCommand,
  DeregisterImageCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  DescribeSnapshotsCommand,
  DescribeVolumesCommand,
  DetachVolumeCommand,
  EC2Client,
  RunInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import type {
  CreateImageCommandInput,
  CreateVolumeCommandInput,
  DescribeImagesCommandInput,
  Image,
  Instance,
  RunInstancesCommandInput,
  Snapshot,
  Volume,
} from '@aws-sdk/client-ec2';
import { type Simulator, startSimulator } from '../harness/simulator';
import { control } from './simulator-control';

export const ZONE = 'us-east-1b';
export const NOWHERE = '0123456789abcdef0';

export let simulator: Simulator;
export let ec2: EC2Client;

beforeAll(async () => {
  simulator = await startSimulator(
    ...['--boot', 'none', '--paused-clock', '--synthetic', '3', '--region', 'us-east-1'],
    ...['--boot-seconds', '0', '--shutdown-seconds', '5', '--volume-seconds', '3'],
    ...['--image-seconds', '100+2', '--snapshot-seconds', '50+1'],
  );
  ec2 = new EC2Client({
    region: 'us-east-1',
    endpoint: simulator.ready.cloudUrl,
    credentials: { accessKeyId: 'AKIDTEST', secretAccessKey: 'secret' },
    maxAttempts: 1,
  });
});

afterAll(async () => {
  ec2?.destroy();
  await simulator?.stop();
});

beforeEach(() => control(simulator, '/pools/give-back', {}));

export const advance = (seconds: number) => control(simulator, '/clock/advance', { seconds });
export const refusal = async (run: Promise<unknown>): Promise<{ name: string; message: string }> => {
  try {
    await run;
  } catch (error) {
    const { name, message } = error as Error;
    return { name, message };
  }
  throw new Error('It was not refused.');
};
export const DATA_DISK = { DeviceName: '/dev/xvdf', Ebs: { VolumeSize: 40 } };

export async function launch(changes: Partial<RunInstancesCommandInput> = {}): Promise<Instance> {
  const { Instances } = await ec2.send(
    new RunInstancesCommand({
      ImageId: simulator.ready.imageId,
      InstanceType: 'g5.xlarge',
      MinCount: 1,
      MaxCount: 1,
      Placement: { AvailabilityZone: ZONE },
      ...changes,
    }),
  );
  const made = Instances?.[0] as Instance;
  await advance(1);
  return made;
}
export const idOf = ({ InstanceId }: Instance) => InstanceId as string;
export const terminate = (id: string) => ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
export async function describeInstance(id: string): Promise<Instance> {
  const { Reservations } = await ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }));
  return Reservations?.[0]?.Instances?.[0] as Instance;
}
/** Volume ids by device. */
export async function disksOf(id: string): Promise<Record<string, string>> {
  const { BlockDeviceMappings = [] } = await describeInstance(id);
  return Object.fromEntries(BlockDeviceMappings.map((disk) => [disk.DeviceName, disk.Ebs?.VolumeId]));
}

let names = 0;
export async function makeImage(
  instanceId: string,
  changes: Partial<CreateImageCommandInput> = {},
): Promise<string> {
  const { ImageId } = await ec2.send(
    new CreateImageCommand({
      InstanceId: instanceId,
      Name: `image-${++names}`,
      NoReboot: true,
      ...changes,
    }),
  );
  return ImageId as string;
}
export async function findImages(input: DescribeImagesCommandInput): Promise<Image[]> {
  return (await ec2.send(new DescribeImagesCommand(input))).Images ?? [];
}
export const image = async (id: string) => (await findImages({ ImageIds: [id], IncludeDisabled: true }))[0];
export const deregister = (ImageId: string, DeleteAssociatedSnapshots?: boolean) =>
  ec2.send(new DeregisterImageCommand({ ImageId, DeleteAssociatedSnapshots }));

export async function snapshots(filters: Record<string, string>): Promise<Snapshot[]> {
  const Filters = Object.entries(filters).map(([Name, value]) => ({ Name, Values: [value] }));
  return (await ec2.send(new DescribeSnapshotsCommand({ Filters, OwnerIds: ['self'] }))).Snapshots ?? [];
}
export const snapshot = async (id: string) =>
  (await ec2.send(new DescribeSnapshotsCommand({ SnapshotIds: [id] }))).Snapshots?.[0];
export const deleteSnapshot = (SnapshotId: string) => ec2.send(new DeleteSnapshotCommand({ SnapshotId }));
export async function makeSnapshot(VolumeId: string): Promise<string> {
  return (await ec2.send(new CreateSnapshotCommand({ VolumeId }))).SnapshotId as string;
}

export const makeVolume = (changes: Partial<CreateVolumeCommandInput> = {}) =>
  ec2.send(new CreateVolumeCommand({ AvailabilityZone: ZONE, Size: 10, VolumeType: 'gp3', ...changes }));
export async function availableVolume(changes: Partial<CreateVolumeCommandInput> = {}): Promise<string> {
  const { VolumeId } = await makeVolume(changes);
  await advance(3);
  return VolumeId as string;
}
export async function volume(id: string): Promise<Volume | undefined> {
  return (await ec2.send(new DescribeVolumesCommand({ VolumeIds: [id] }))).Volumes?.[0];
}
export const attach = (VolumeId: string, InstanceId: string, Device = '/dev/xvdh') =>
  ec2.send(new AttachVolumeCommand({ VolumeId, InstanceId, Device }));
export const detach = (VolumeId: string) => ec2.send(new DetachVolumeCommand({ VolumeId }));
export const deleteVolume = (VolumeId: string) => ec2.send(new DeleteVolumeCommand({ VolumeId }));
