/** Snapshots. Source: EC2 API reference, CreateSnapshot, DescribeSnapshots, DeleteSnapshot. */
import { DeleteSnapshotCommand } from '@aws-sdk/client-ec2';
import { until } from '../harness/until';
import { type CloudUnderTest, refusal, unknownIds } from './cloud-under-test';
import type { Contracts } from './contracts';

async function rootVolume(cloud: CloudUnderTest): Promise<string> {
  const { volumes } = await cloud.running();
  return volumes[0]!.volumeId;
}

export const snapshotContracts: Contracts = {
  async 'a snapshot of a volume completes'(cloud) {
    const volumeId = await rootVolume(cloud);
    const tags = { 'contract:snapshot': cloud.unique('snapshot') };
    const { snapshot, created } = await cloud.port.snapshots.create({
      volumeId,
      key: cloud.unique('key'),
      description: 'contract',
      tags,
    });
    expect(created).toBe(true);
    const done = await until(
      'the snapshot is complete',
      async () => {
        const one = (await cloud.port.snapshots.describe([snapshot.snapshotId])).found.get(
          snapshot.snapshotId,
        );
        return one?.state === 'completed' ? one : null;
      },
      15_000,
    );
    expect(done).toMatchObject({ volumeId, progressPercent: 100, description: 'contract' });
    expect(done.tags).toMatchObject(tags);
    expect((await cloud.port.snapshots.findByTags(tags)).map((one) => one.snapshotId)).toEqual([
      snapshot.snapshotId,
    ]);
  },

  async 'a key makes one snapshot of a volume'(cloud) {
    const volumeId = await rootVolume(cloud);
    const key = cloud.unique('key');
    const first = await cloud.port.snapshots.create({ volumeId, key, tags: {} });
    const again = await cloud.port.snapshots.create({ volumeId, key, tags: {} });
    expect(again).toMatchObject({ created: false, snapshot: { snapshotId: first.snapshot.snapshotId } });
    const other = await cloud.port.snapshots.create({ volumeId: await rootVolume(cloud), key, tags: {} });
    expect(other.created).toBe(true);
  },

  async 'a snapshot is deleted, once'(cloud) {
    const volumeId = await rootVolume(cloud);
    const { snapshot } = await cloud.port.snapshots.create({ volumeId, key: cloud.unique('key'), tags: {} });
    const { snapshotId } = snapshot;
    expect(await cloud.port.snapshots.delete(snapshotId)).toEqual({ outcome: 'deleted' });
    expect((await cloud.port.snapshots.describe([snapshotId])).unknown).toEqual([snapshotId]);
    expect(await cloud.port.snapshots.delete(snapshotId)).toMatchObject({ outcome: 'unknown' });
  },

  async 'a snapshot that an image uses is not deleted before the image is gone'(cloud) {
    const { instanceId } = await cloud.running();
    const { imageId, snapshotIds } = await cloud.image(instanceId);
    const snapshotId = snapshotIds[0]!;
    const command = new DeleteSnapshotCommand({ SnapshotId: snapshotId });
    expect(await refusal(cloud.ec2.send(command))).toEqual({ code: 'InvalidSnapshot.InUse', status: 400 });
    expect(await cloud.port.snapshots.delete(snapshotId)).toMatchObject({ outcome: 'in_use' });
    await cloud.port.images.deregister(imageId);
    expect(await cloud.port.snapshots.delete(snapshotId)).toEqual({ outcome: 'deleted' });
  },

  async 'one unknown id hides none of the others'(cloud) {
    const volumeId = await rootVolume(cloud);
    const { snapshot } = await cloud.port.snapshots.create({ volumeId, key: cloud.unique('key'), tags: {} });
    const asked = [unknownIds.snapshot, snapshot.snapshotId, 'snap-nonsense'];
    const { found, unknown } = await cloud.port.snapshots.describe(asked);
    expect([...found.keys()]).toEqual([snapshot.snapshotId]);
    expect(unknown.sort()).toEqual([unknownIds.snapshot, 'snap-nonsense'].sort());
  },

  async 'a snapshot of no volume is refused'(cloud) {
    const spec = { volumeId: unknownIds.volume, key: cloud.unique('key'), tags: {} };
    await expect(cloud.port.snapshots.create(spec)).rejects.toMatchObject({
      kind: 'never',
      code: 'InvalidVolume.NotFound',
    });
  },
};
