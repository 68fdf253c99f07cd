/** Images. Source: EC2 API reference, CreateImage, DescribeImages, DeregisterImage, DisableImage. */
import { CreateImageCommand, DescribeImagesCommand, DisableImageCommand } from '@aws-sdk/client-ec2';
import { imageName } from '../../cloud/deterministic-names';
import type { Contracts } from './contracts';
import { refusal, unknownIds } from './cloud-under-test';

export const imageContracts: Contracts = {
  async 'an image of the port is pending first, and its snapshots carry its tags'(cloud) {
    const { instanceId } = await cloud.running();
    const name = cloud.unique('image');
    const tags = { 'contract:image': name };
    const made = await cloud.port.images.create({ instanceId, name, noReboot: true, tags });
    expect(made).toMatchObject({ created: true, image: { name, state: 'pending' } });
    const image = await cloud.available(made.image.imageId);
    expect(image.tags).toEqual(tags);
    const { found } = await cloud.port.snapshots.describe(image.snapshotIds);
    expect([...found.values()].map((snapshot) => snapshot.tags)).toEqual([tags]);
    expect((await cloud.port.instances.describeOne(instanceId))?.state).toBe('running');
  },

  async 'an image has a name, a time, tags and snapshots'(cloud) {
    const { instanceId } = await cloud.running();
    const name = cloud.unique('image');
    const image = await cloud.image(instanceId, {}, name);
    expect(image).toMatchObject({ name, tags: { 'contract:image': name } });
    expect(image.createdAt).toMatch(/^\d{4}-\d\d-\d\dT/);
    expect((await cloud.port.snapshots.describe(image.snapshotIds)).found.size).toBe(1);
  },

  async 'an image names the instance it was made from'(cloud) {
    const { instanceId } = await cloud.running();
    expect((await cloud.image(instanceId)).sourceInstanceId).toBe(instanceId);
  },

  async 'a name is taken once'(cloud) {
    const { instanceId } = await cloud.running();
    const image = await cloud.image(instanceId);
    const command = new CreateImageCommand({ InstanceId: instanceId, Name: image.name, NoReboot: true });
    expect(await refusal(cloud.ec2.send(command))).toEqual({ code: 'InvalidAMIName.Duplicate', status: 400 });
  },

  async 'the port takes the image of a name for the one asked for'(cloud) {
    const { instanceId } = await cloud.running();
    const image = await cloud.image(instanceId);
    const again = { instanceId, name: image.name, noReboot: true, tags: {} };
    expect(await cloud.port.images.create(again)).toMatchObject({
      created: false,
      image: { imageId: image.imageId },
    });
  },

  async 'the newest available image is found by its tags'(cloud) {
    const { instanceId } = await cloud.running();
    const tags = { 'contract:newest': cloud.unique('newest') };
    expect(await cloud.port.images.newest(tags)).toBeNull();
    const older = await cloud.image(instanceId, tags);
    // EC2 gives creation times in whole seconds or milliseconds, by its mood.
    const newer = await untilNewer(older.createdAt, () => cloud.image(instanceId, tags));
    expect((await cloud.port.images.newest(tags))?.imageId).toBe(newer.imageId);
    const all = await cloud.port.images.findByTags(tags);
    expect(all[0]?.imageId).toBe(newer.imageId);
  },

  async 'a disabled image is hidden from the usual look, and not launched from'(cloud) {
    const { instanceId } = await cloud.running();
    const tags = { 'contract:disabled': cloud.unique('disabled') };
    const { imageId } = await cloud.image(instanceId, tags);
    await cloud.ec2.send(new DisableImageCommand({ ImageId: imageId }));
    const Filters = [{ Name: 'tag:contract:disabled', Values: Object.values(tags) }];
    const usual = await cloud.ec2.send(new DescribeImagesCommand({ Owners: ['self'], Filters }));
    expect(usual.Images).toEqual([]);
    expect(await cloud.port.images.newest(tags)).toBeNull();
    const { found } = await cloud.port.images.describe([imageId]);
    expect(found.get(imageId)?.state).toBe('disabled');
    expect((await refusal(cloud.run({ ImageId: imageId }))).status).toBe(400);
  },

  async 'deregistering leaves the snapshots, and says which'(cloud) {
    const { instanceId } = await cloud.running();
    const { imageId, snapshotIds } = await cloud.image(instanceId);
    expect(snapshotIds).toHaveLength(1);
    expect(await cloud.port.images.deregister(imageId)).toEqual({ outcome: 'deregistered', snapshotIds });
    expect((await cloud.port.images.describe([imageId])).unknown).toEqual([imageId]);
    expect((await cloud.port.snapshots.describe(snapshotIds)).found.size).toBe(1);
    expect(await cloud.port.images.deregister(imageId)).toMatchObject({ outcome: 'unknown' });
  },

  async 'a deregistered image is none to launch from'(cloud) {
    const { instanceId } = await cloud.running();
    const { imageId } = await cloud.image(instanceId);
    await cloud.port.images.deregister(imageId);
    await expect(cloud.port.instances.launch(cloud.spec({ imageId }))).rejects.toMatchObject({
      kind: 'never',
    });
  },

  async 'one unknown id hides none of the others'(cloud) {
    const { instanceId } = await cloud.running();
    const { imageId } = await cloud.image(instanceId);
    const { found, unknown } = await cloud.port.images.describe([unknownIds.image, imageId, 'ami-nonsense']);
    expect([...found.keys()]).toEqual([imageId]);
    expect(unknown.sort()).toEqual([unknownIds.image, 'ami-nonsense'].sort());
  },

  async 'an image of no instance is refused'(cloud) {
    const spec = { instanceId: unknownIds.instance, name: cloud.unique('image'), noReboot: true, tags: {} };
    await expect(cloud.port.images.create(spec)).rejects.toMatchObject({
      kind: 'never',
      code: 'InvalidInstanceID.NotFound',
    });
  },

  async 'a name must be of the form that EC2 takes'(cloud) {
    const { instanceId } = await cloud.running();
    for (const Name of ['ab', 'x'.repeat(129), 'not#one']) {
      const command = new CreateImageCommand({ InstanceId: instanceId, Name, NoReboot: true });
      expect((await refusal(cloud.ec2.send(command))).status).toBe(400);
    }
  },

  async 'the port’s names are of that form'(cloud) {
    const { instanceId } = await cloud.running();
    for (const agent of ['a'.repeat(200), 'agt_1', 'Größe (1)']) {
      const name = imageName(agent, cloud.unique('key'));
      expect((await cloud.image(instanceId, {}, name)).name).toBe(name);
    }
  },
};

async function untilNewer<T extends { createdAt: string }>(than: string, make: () => Promise<T>): Promise<T> {
  const second = Math.floor(Date.parse(than) / 1000);
  const wait = (second + 1) * 1000 - Date.now();
  if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
  return make();
}
