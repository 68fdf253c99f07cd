/** The simulated EC2's tags through the real AWS SDK. */
import { CreateTagsCommand, DeleteTagsCommand, DescribeTagsCommand } from '@aws-sdk/client-ec2';
import {
  NOWHERE,
  ec2,
  advance,
  refusal,
  launch,
  idOf,
  disksOf,
  makeImage,
  makeSnapshot,
  availableVolume,
  volume,
} from './storage-calls';

describe('tags', () => {
  test('are put on all kinds of things together, or on none of them', async () => {
    const instance = idOf(await launch());
    const disk = (await disksOf(instance))['/dev/xvda'] as string;
    const taken = await makeSnapshot(disk);
    await advance(60);
    const made = await makeImage(instance);
    const all = [instance, made, disk, taken];
    const put = (ids: string[], ...tags: [string, string][]) =>
      ec2.send(new CreateTagsCommand({ Resources: ids, Tags: tags.map(([Key, Value]) => ({ Key, Value })) }));
    const seen = async (key: string) => {
      const Filters = [{ Name: 'key', Values: [key] }];
      const { Tags = [] } = await ec2.send(new DescribeTagsCommand({ Filters }));
      return Tags.map((tag) => [tag.ResourceType, tag.ResourceId, tag.Value]);
    };
    for (const [id, code] of [
      [`i-${NOWHERE}`, 'InvalidInstanceID.NotFound'],
      [`ami-${NOWHERE}`, 'InvalidAMIID.NotFound'],
      [`vol-${NOWHERE}`, 'InvalidVolume.NotFound'],
      [`snap-${NOWHERE}`, 'InvalidSnapshot.NotFound'],
      ['sir-12345678', 'InvalidSpotInstanceRequestID.NotFound'],
      ['nonsense', 'InvalidID'],
    ] as const) {
      expect((await refusal(put([...all, id], ['together', '1']))).name).toBe(code);
    }
    expect(await seen('together')).toEqual([]);
    await put(all, ['together', '1'], ['other', '']);
    expect(await seen('together')).toEqual([
      ['instance', instance, '1'],
      ['image', made, '1'],
      ['volume', disk, '1'],
      ['snapshot', taken, '1'],
    ]);
    await put([disk], ['together', '2']);
    expect((await volume(disk))?.Tags).toEqual([
      { Key: 'together', Value: '2' },
      { Key: 'other', Value: '' },
    ]);

    const remove = (...Tags: { Key: string; Value?: string }[]) =>
      ec2.send(new DeleteTagsCommand({ Resources: all, Tags }));
    await remove({ Key: 'together', Value: '2' }, { Key: 'not there' });
    expect((await seen('together')).map(([type]) => type)).toEqual(['instance', 'image', 'snapshot']);
    await remove({ Key: 'together', Value: '' });
    expect(await seen('together')).toHaveLength(3);
    await remove({ Key: 'together' });
    expect(await seen('together')).toEqual([]);
    expect(await seen('other')).toHaveLength(4);
    await ec2.send(new DeleteTagsCommand({ Resources: all }));
    expect(await seen('other')).toEqual([]);
  });

  test('are fifty at most', async () => {
    const id = await availableVolume();
    const some = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, index) => ({ Key: `key-${from + index}`, Value: 'x' }));
    await ec2.send(new CreateTagsCommand({ Resources: [id], Tags: some(0, 50) }));
    const more = new CreateTagsCommand({ Resources: [id], Tags: some(49, 51) });
    expect((await refusal(ec2.send(more))).name).toBe('TagLimitExceeded');
  });
});
