/** Whatever an instance's XML depends on, the text that is kept of it follows. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Books } from '../../simulator/books/books';
import type { Instance, Volume } from '../../simulator/books/entities';
import { CloudClock } from '../../simulator/clock';
import type { Cloud } from '../../simulator/cloud';
import { instanceXml } from '../../simulator/ec2/instance-xml';
import { writtenInstance } from '../../simulator/ec2/written-instance';
import { elements } from '../../simulator/ec2/xml';
import { newInstance } from '../../simulator/instances/new-instance';

const ATTACHED = { instanceId: 'i-1', device: '/dev/xvdf', attachedAt: 1, settledAt: 4, detachedAt: null };
const VOLUME: Volume = {
  ...{ id: 'vol-1', region: 'us-east-1', zone: 'us-east-1a', sizeGib: 8, type: 'gp3', iops: 3000 },
  ...{ throughput: 125, encrypted: false, snapshotId: null, tags: {}, createdAt: 0, availableAt: 0 },
  attachment: { ...ATTACHED, deleteOnTermination: true },
  goneAt: null,
};
const INSTANCE: Instance = newInstance({
  ...{ region: 'us-east-1', zone: 'us-east-1a', instanceType: 'g5.xlarge', imageId: 'ami-1' },
  ...{ option: 'spot', now: 0, runsAt: 0 },
  devices: [{ name: '/dev/xvdf', volumeId: 'vol-1', attachedAt: 1, deleteOnTermination: true }],
});

let folder: string;
let books: Books;
let seconds: number;
beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'spotkeeper-written-'));
  books = new Books(folder);
  await books.open((error) => {
    throw error;
  });
  books.commit(0, [['volume', 'vol-1', VOLUME]]);
  seconds = 0;
});
afterEach(async () => {
  await books.close();
  rmSync(folder, { recursive: true });
});

function cloudOf({ paused }: { paused: boolean }): Cloud {
  const clock = new CloudClock({
    ...{ speed: 1, paused, position: 0, anchors: [] },
    ...{ monotonic: () => seconds * 1000, wall: () => 1_700_000_000_000 + seconds * 1000 },
  });
  return { accountId: '000000000000', books, clock } as Cloud;
}

/** Asserts that the text is what would be written now. */
function textOf(cloud: Cloud, instance: Instance): string {
  const { text } = writtenInstance(cloud, instance);
  expect(text).toBe(elements(instanceXml(cloud, instance)));
  return text;
}

test('it is written once while nothing changes', () => {
  const cloud = cloudOf({ paused: false });
  const first = writtenInstance(cloud, INSTANCE);
  seconds = 2;
  expect(writtenInstance(cloud, INSTANCE)).toBe(first);
});

test('another record is written anew', () => {
  const cloud = cloudOf({ paused: false });
  textOf(cloud, INSTANCE);
  expect(textOf(cloud, { ...INSTANCE, tags: { Name: 'other' } })).toContain('<value>other</value>');
});

test('a disk that settles or goes with time is seen to, though the instance stays the same', () => {
  const cloud = cloudOf({ paused: false });
  expect(textOf(cloud, INSTANCE)).toContain('<status>attaching</status>');
  seconds = 5;
  expect(textOf(cloud, INSTANCE)).toContain('<status>attached</status>');
  const leaving = { ...ATTACHED, deleteOnTermination: true, detachedAt: 8 };
  books.commit(5, [['volume', 'vol-1', { ...VOLUME, attachment: leaving }]]);
  expect(textOf(cloud, INSTANCE)).toContain('<status>detaching</status>');
});

test('a paused clock that is moved moves the wall time of its launch', () => {
  const cloud = cloudOf({ paused: true });
  cloud.clock.advance(10); // The disk has settled.
  expect(textOf(cloud, INSTANCE)).toContain('<launchTime>2023-11-14T22:13:10.000Z</launchTime>');
  cloud.clock.advance(60);
  expect(textOf(cloud, INSTANCE)).toContain('<launchTime>2023-11-14T22:12:10.000Z</launchTime>');
});
