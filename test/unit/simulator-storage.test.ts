import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Image, ImageDisk, Snapshot, Volume } from '../../simulator/books/entities';
import { mergeBlockDevices, readBlockDeviceMapping } from '../../simulator/ec2/block-device-mapping';
import { QueryParameters } from '../../simulator/ec2/query-parameters';
import { readOptions } from '../../simulator/options';
import { DiskFiles } from '../../simulator/storage/disk-files';
import { EMPTY_ROOT, folderOfDevice } from '../../simulator/storage/disks';
import { copiedGib, drawSeconds } from '../../simulator/storage/durations';
import {
  attachmentState,
  imageState,
  nextVolumeChange,
  snapshotProgress,
  snapshotState,
  volumeState,
} from '../../simulator/storage/states';
import { volumeKind } from '../../simulator/storage/volume-types';
import type { KindWish } from '../../simulator/storage/volume-types';

const volume = (changes: Partial<Volume> = {}): Volume => ({
  ...{ id: 'vol-1', region: 'r', zone: 'r-a', sizeGib: 8, type: 'gp3', iops: 3000, throughput: 125 },
  ...{
    encrypted: false,
    snapshotId: null,
    tags: {},
    createdAt: 0,
    availableAt: 3,
    attachment: null,
    goneAt: null,
  },
  ...changes,
});
const snapshot = (changes: Partial<Snapshot> = {}): Snapshot => ({
  ...{
    id: 'snap-1',
    region: 'r',
    volumeId: 'vol-1',
    sizeGib: 8,
    encrypted: false,
    description: '',
    tags: {},
  },
  ...{ startedAt: 10, completedAt: 20, failure: null },
  ...changes,
});

describe('the state', () => {
  test('of an image follows its times, its failure and its switch', () => {
    const made: Image = {
      ...{ id: 'ami-1', region: 'r', name: 'n', description: null, sourceInstanceId: 'i-1', tags: {} },
      ...{ createdAt: 0, takenAt: 0, availableAt: 10, failure: null, disabled: false, deregisteredAt: null },
      disks: [],
    };
    const failure = { code: 'c', message: 'm' };
    expect(imageState(made, 9)).toBe('pending');
    expect(imageState(made, 10)).toBe('available');
    expect(imageState({ ...made, disabled: true }, 10)).toBe('disabled');
    expect(imageState({ ...made, failure }, 9)).toBe('pending');
    expect(imageState({ ...made, failure }, 10)).toBe('failed');
    expect(imageState({ ...made, deregisteredAt: 5 }, 6)).toBe('deregistered');
  });

  test('of a snapshot comes with its progress', () => {
    expect(
      [10, 15, 19.99, 20].map((now) => [snapshotState(snapshot(), now), snapshotProgress(snapshot(), now)]),
    ).toEqual([
      ['pending', 0],
      ['pending', 50],
      ['pending', 99],
      ['completed', 100],
    ]);
    expect(snapshotState(snapshot({ failure: 'why' }), 20)).toBe('error');
  });

  test('of a volume changes by itself at its moments, and its ends stay due', () => {
    const attachment = {
      ...{ instanceId: 'i-1', device: '/dev/xvdf', deleteOnTermination: false },
      ...{ attachedAt: 10, settledAt: 13, detachedAt: null },
    };
    expect(volumeState(volume(), 2)).toBe('creating');
    expect(nextVolumeChange(volume(), 2)).toBe(3);
    expect(nextVolumeChange(volume(), 3)).toBe(Infinity);
    const attached = volume({ attachment });
    expect(volumeState(attached, 11)).toBe('in-use');
    expect(attachmentState(attachment, 11)).toBe('attaching');
    expect(nextVolumeChange(attached, 11)).toBe(13);
    expect(attachmentState(attachment, 13)).toBe('attached');
    const detaching = { ...attachment, detachedAt: 20 };
    expect(attachmentState(detaching, 15)).toBe('detaching');
    expect(nextVolumeChange(volume({ attachment: detaching }), 30)).toBe(20);
    expect(volumeState(volume({ goneAt: 40 }), 30)).toBe('deleting');
    expect(nextVolumeChange(volume({ goneAt: 40 }), 50)).toBe(40);
  });
});

describe('time on disks', () => {
  test('grows with what is copied, and later snapshots copy less', () => {
    const range = { min: 60, max: 160, perGib: 4 };
    expect(drawSeconds(range, 8, () => 0)).toBe(92);
    expect(drawSeconds(range, 100, () => 0.5)).toBe(510);
    expect(copiedGib(100, false)).toBe(100);
    expect(copiedGib(100, true)).toBe(10);
  });

  test('is read from flags, with seconds for each GiB after a plus', () => {
    const read = (text: string) => readOptions(['--image-seconds', text]).imageSeconds;
    expect(read('60-150+4')).toEqual({ min: 60, max: 150, perGib: 4 });
    expect(read('7+0.5')).toEqual({ min: 7, max: 7, perGib: 0.5 });
    expect(read('0')).toEqual({ min: 0, max: 0, perGib: 0 });
    for (const nonsense of ['', '+', '5+', '5+-1', '5+1+1', 'x+1', '9-3+1', '5+Infinity']) {
      expect(() => read(nonsense)).toThrow(/--image-seconds is not usable/);
    }
  });
});

describe('a volume of a type', () => {
  const kind = (changes: Partial<KindWish>) =>
    volumeKind({ sizeGib: 100, type: 'gp3', iops: null, throughput: null, encrypted: false, ...changes });

  test('has what that type gives', () => {
    expect(kind({})).toMatchObject({ iops: 3000, throughput: 125 });
    expect(kind({ type: 'gp2' })).toMatchObject({ iops: 300, throughput: null });
    expect(kind({ type: 'gp2', sizeGib: 10 })).toMatchObject({ iops: 100 });
    expect(kind({ type: 'io2', iops: 700 })).toMatchObject({ iops: 700, throughput: null });
    expect(kind({ type: 'st1', sizeGib: 125 })).toMatchObject({ iops: null });
  });

  test.each<[RegExp, Partial<KindWish>]>([
    [/too small for volume type st1/, { type: 'st1' }],
    [/too large for volume type standard/, { type: 'standard', sizeGib: 2000 }],
    [/iops must be specified/, { type: 'io1' }],
    [/iops is not supported/, { type: 'gp2', iops: 100 }],
    [/iops of 2999 is too low/, { iops: 2999 }],
    [/iops of 80001 is too high/, { iops: 80_001 }],
    [/throughput is not supported/, { type: 'io1', iops: 100, throughput: 200 }],
    [/throughput of 124MiB\/s/, { throughput: 124 }],
  ])('is refused: %s', (words, changes) => expect(kind(changes)).toMatch(words));
});

describe('a block device mapping', () => {
  const DATA: ImageDisk = {
    ...EMPTY_ROOT,
    device: '/dev/xvdf',
    snapshotId: 'snap-1',
    deleteOnTermination: false,
  };
  const merge = (form: string, disks: readonly ImageDisk[] = [EMPTY_ROOT, DATA]) =>
    mergeBlockDevices(disks, readBlockDeviceMapping(QueryParameters.parse(form)), (id) =>
      snapshot({ id, sizeGib: 30, encrypted: true }),
    );
  const entry = (number: number, device: string, rest: string) =>
    `BlockDeviceMapping.${number}.DeviceName=${device}&BlockDeviceMapping.${number}.${rest}`;

  test('says nothing: the image’s disks', () => expect(merge('')).toEqual([EMPTY_ROOT, DATA]));

  test('changes a disk, keeping what it doesn’t name', () => {
    expect(merge(entry(1, '/dev/xvda', 'Ebs.VolumeSize=20'))[0]).toEqual({ ...EMPTY_ROOT, sizeGib: 20 });
    expect(merge(entry(1, '/dev/xvdf', 'Ebs.DeleteOnTermination=true'))[1]).toEqual({
      ...DATA,
      deleteOnTermination: true,
    });
    const [, faster] = merge(entry(1, '/dev/xvdf', 'Ebs.VolumeType=gp2'));
    expect(faster).toEqual({ ...DATA, type: 'gp2', iops: 100, throughput: null });
  });

  test('adds, replaces and leaves out disks', () => {
    const [, , added] = merge(entry(1, '/dev/xvdg', 'Ebs.VolumeSize=9'));
    expect(added).toMatchObject({
      device: '/dev/xvdg',
      snapshotId: null,
      sizeGib: 9,
      type: 'gp2',
      deleteOnTermination: false,
    });
    const [, replaced] = merge(entry(1, '/dev/xvdf', 'Ebs.SnapshotId=snap-2'));
    expect(replaced).toMatchObject({
      snapshotId: 'snap-2',
      sizeGib: 30,
      encrypted: true,
      deleteOnTermination: false,
    });
    expect(merge(entry(1, '/dev/xvdf', 'NoDevice='))).toEqual([EMPTY_ROOT]);
    expect(merge(entry(1, '/dev/sdb', 'VirtualName=ephemeral0'))).toEqual([EMPTY_ROOT, DATA]);
  });

  test.each([
    ['smaller than snapshot', entry(1, '/dev/xvdf', 'Ebs.VolumeSize=7')],
    [
      'smaller than snapshot',
      entry(1, '/dev/xvdg', 'Ebs.SnapshotId=snap-2&BlockDeviceMapping.1.Ebs.VolumeSize=29'),
    ],
    ['root device', entry(1, '/dev/xvda', 'Ebs.SnapshotId=snap-2')],
    ['root device', entry(1, '/dev/xvda', 'NoDevice=')],
    ['Invalid device name', entry(1, '../../etc', 'Ebs.VolumeSize=7')],
    [
      'more than one',
      `${entry(1, '/dev/xvdg', 'Ebs.VolumeSize=7')}&${entry(2, '/dev/xvdg', 'Ebs.VolumeSize=8')}`,
    ],
  ])('is refused: %s', (words, form) => expect(() => merge(form)).toThrow(words));

  test('names folders that stay in their place', () => {
    expect(folderOfDevice('/dev/xvdf')).toBe('xvdf');
    expect(folderOfDevice('/dev/sdb1')).toBe('sdb1');
  });
});

describe('the files on disks', () => {
  let state: string;
  let files: DiskFiles;
  beforeEach(() => {
    state = mkdtempSync(path.join(tmpdir(), 'disks-'));
    files = new DiskFiles(state);
  });
  afterEach(() => rmSync(state, { recursive: true }));
  const at = (...names: string[]) => path.join(state, ...names);
  const write = (kind: string, id: string, text: string) => {
    mkdirSync(at(kind, id), { recursive: true });
    writeFileSync(at(kind, id, 'data'), text);
  };
  const read = (kind: string, id: string) => readFileSync(at(kind, id, 'data'), 'utf8');

  test('are worked on in the order of the asking, disk by disk', async () => {
    write('volumes', 'vol-1', 'content');
    let rest = () => undefined as void;
    const atRest = new Promise<void>((resolve) => (rest = resolve));
    const captured = files.capture('snap-1', 'vol-1', atRest);
    const copied = files.fill('vol-2', 'snap-1');
    const gone = Promise.all([files.dropVolume('vol-1'), files.dropSnapshot('snap-1')]);
    // Another disk doesn't wait for these.
    await files.capture('snap-9', 'vol-9');
    expect(existsSync(at('volumes', 'vol-1'))).toBe(true);
    rest();
    await Promise.all([captured, copied, gone, files.idle()]);
    expect(read('volumes', 'vol-2')).toBe('content');
    expect(readdirSync(at('volumes'))).toEqual(['vol-2']);
    expect(readdirSync(at('snapshots'))).toEqual(['snap-9']);
    await files.idle();
  });

  test('that could not be copied fail who asked, and who needs them', async () => {
    await expect(files.fill('vol-2', 'snap-none')).rejects.toThrow('ENOENT');
    await expect(files.volumeReady(volume({ id: 'vol-2', snapshotId: 'snap-none' }))).rejects.toThrow(
      'The files of vol-2 could not be copied from snap-none.',
    );
    expect(await files.volumeReady(volume({ id: 'vol-3' }))).toBe(at('volumes', 'vol-3'));
  });

  test('keep their links, and leave sockets behind', async () => {
    write('volumes', 'vol-1', 'content');
    symlinkSync('data', at('volumes', 'vol-1', 'link'));
    const server = createServer().listen(at('volumes', 'vol-1', 'socket'));
    await once(server, 'listening');
    await files.capture('snap-1', 'vol-1');
    await new Promise((resolve) => server.close(resolve));
    await files.dropVolume('vol-1');
    expect(readdirSync(at('snapshots', 'snap-1')).sort()).toEqual(['data', 'link']);
    expect(readFileSync(at('snapshots', 'snap-1', 'link'), 'utf8')).toBe('content');
  });

  test('are made what the books say after a kill in the middle of anything', async () => {
    write('volumes', 'vol-1', 'first');
    write('volumes', 'vol-2.new', 'half a copy');
    write('volumes', 'vol-deleted', 'not swept yet');
    write('snapshots', 'snap-stray', 'never booked');
    // snap-1 of vol-1, vol-2 of snap-1, snap-2 of vol-2: none of the three was copied before the kill.
    const volumes = [
      volume({ id: 'vol-2', snapshotId: 'snap-1' }),
      volume({ id: 'vol-1' }),
      volume({ id: 'vol-3' }),
    ];
    const snapshots = [
      snapshot({ id: 'snap-2', volumeId: 'vol-2' }),
      snapshot({ id: 'snap-1', volumeId: 'vol-1' }),
      snapshot({ id: 'snap-3', volumeId: 'vol-3' }),
      snapshot({ id: 'snap-4', volumeId: 'vol-deleted' }),
      snapshot({ id: 'snap-lost', volumeId: 'vol-gone' }),
    ];
    expect(await files.restore(volumes, snapshots)).toEqual(['snap-lost']);
    expect(read('snapshots', 'snap-2')).toBe('first');
    expect(read('volumes', 'vol-2')).toBe('first');
    expect(readdirSync(at('snapshots', 'snap-3'))).toEqual([]);
    expect(read('snapshots', 'snap-4')).toBe('not swept yet');
    expect(readdirSync(at('volumes')).sort()).toEqual(['vol-1', 'vol-2']);
    expect(readdirSync(at('snapshots')).sort()).toEqual([
      'snap-1',
      'snap-2',
      'snap-3',
      'snap-4',
      'snap-lost',
    ]);
    // What is whole stays as it is.
    write('volumes', 'vol-1', 'changed since');
    expect(await files.restore(volumes, snapshots)).toEqual([]);
    expect(read('snapshots', 'snap-1')).toBe('first');
  });
});
