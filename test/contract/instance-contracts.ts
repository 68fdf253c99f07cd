/** Launching, describing, tagging. Source: EC2 API reference, RunInstances, DescribeInstances, CreateTags. */
import {
  DescribeInstancesCommand,
  paginateDescribeInstances,
  RunInstancesCommand,
} from '@aws-sdk/client-ec2';
import type { Contracts } from './contracts';
import { refusal, unknownIds } from './cloud-under-test';

export const instanceContracts: Contracts = {
  async 'a spot launch gives one instance, as asked for'(cloud) {
    const spec = cloud.spot();
    const { instanceId } = await cloud.port.instances.launch(spec);
    expect(instanceId).toMatch(/^i-[0-9a-f]{17}$/);
    const found = await cloud.inState(instanceId, 'running');
    expect(found).toMatchObject({
      instanceId,
      imageId: spec.imageId,
      instanceType: spec.pool.instanceType,
      zone: spec.pool.zone,
      option: 'spot',
      clientToken: spec.clientToken,
      hibernationConfigured: false,
      stateReasonCode: '',
    });
    expect(found.tags).toMatchObject(spec.tags);
    expect(found.privateIp).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
    expect(Math.abs(Date.parse(found.launchedAt!) - Date.now())).toBeLessThan(60_000);
  },

  async 'an on-demand launch has no spot request, and its disk is listed'(cloud) {
    const { instanceId } = await cloud.port.instances.launch(cloud.spec());
    const found = await cloud.inState(instanceId, 'running');
    expect(found).toMatchObject({ option: 'ondemand', spotRequestId: null });
    expect(found.volumes).toEqual([
      expect.objectContaining({ volumeId: expect.stringMatching(/^vol-/), device: found.rootDevice }),
    ]);
  },

  async 'pages are read to the end'(cloud) {
    const tag = cloud.unique('paged');
    const made = await Promise.all(
      Array.from({ length: 12 }, () =>
        cloud.run({ TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'page', Value: tag }] }] }),
      ),
    );
    const found: string[] = [];
    let pages = 0;
    const Filters = [{ Name: 'tag:page', Values: [tag] }];
    for await (const page of paginateDescribeInstances({ client: cloud.ec2, pageSize: 5 }, { Filters })) {
      pages++;
      const ids = (page.Reservations ?? []).flatMap(({ Instances }) => Instances ?? []);
      expect(ids.length).toBeLessThanOrEqual(5);
      found.push(...ids.map(({ InstanceId }) => InstanceId!));
    }
    expect(pages).toBeGreaterThan(2);
    expect(new Set(found)).toEqual(new Set(made.map(({ InstanceId }) => InstanceId)));
  },

  async 'a page size and ids exclude each other'(cloud) {
    const { InstanceId } = await cloud.run();
    const command = new DescribeInstancesCommand({ InstanceIds: [InstanceId], MaxResults: 5 });
    expect(await refusal(cloud.ec2.send(command))).toEqual({
      code: 'InvalidParameterCombination',
      status: 400,
    });
  },

  async 'one unknown id fails a whole raw look'(cloud) {
    const { InstanceId } = await cloud.run();
    const command = new DescribeInstancesCommand({ InstanceIds: [InstanceId, unknownIds.instance] });
    expect(await refusal(cloud.ec2.send(command))).toEqual({
      code: 'InvalidInstanceID.NotFound',
      status: 400,
    });
  },

  async 'an id that is none is malformed'(cloud) {
    const command = new DescribeInstancesCommand({ InstanceIds: ['i-nonsense'] });
    expect(await refusal(cloud.ec2.send(command))).toEqual({
      code: 'InvalidInstanceID.Malformed',
      status: 400,
    });
  },

  async 'the port finds the others beside unknown and malformed ids'(cloud) {
    const made = await Promise.all([cloud.run(), cloud.run(), cloud.run()]);
    const ids = made.map(({ InstanceId }) => InstanceId);
    const asked = [ids[0]!, unknownIds.instance, ids[1]!, 'i-nonsense', ids[2]!, ids[0]!];
    const { found, unknown } = await cloud.port.instances.describe(asked);
    expect([...found.keys()].sort()).toEqual([...ids].sort());
    expect(unknown.sort()).toEqual([unknownIds.instance, 'i-nonsense'].sort());
  },

  async 'an instance is found by its tags, whose values are no patterns'(cloud) {
    const value = cloud.unique('star');
    const tags = { 'contract:star': `${value}*` };
    const { instanceId } = await cloud.port.instances.launch(cloud.spec({ tags }));
    await cloud.port.instances.launch(cloud.spec({ tags: { 'contract:star': `${value}x` } }));
    const found = await cloud.port.instances.findByTags(tags);
    expect(found.map((one) => one.instanceId)).toEqual([instanceId]);
    expect(await cloud.port.instances.findByTags({ 'contract:star': cloud.unique('none') })).toEqual([]);
  },

  async 'tags are added and overwritten'(cloud) {
    const spec = cloud.spec();
    const { instanceId } = await cloud.port.instances.launch(spec);
    const [key] = Object.keys(spec.tags) as [string];
    await cloud.port.instances.tag([instanceId], { [key]: 'other', added: 'too' });
    const found = await cloud.port.instances.describeOne(instanceId);
    expect(found?.tags).toMatchObject({ [key]: 'other', added: 'too' });
  },

  async 'an image that is not there is no image to launch from'(cloud) {
    const launch = cloud.port.instances.launch(cloud.spec({ imageId: unknownIds.image }));
    await expect(launch).rejects.toMatchObject({ kind: 'never', code: 'InvalidAMIID.NotFound' });
  },

  async 'a zone that is not there is refused'(cloud) {
    const Placement = { AvailabilityZone: 'nowhere-1z' };
    expect((await refusal(cloud.run({ Placement }))).status).toBe(400);
  },

  async 'a pool without room says InsufficientInstanceCapacity as a server error'(cloud) {
    const [zone] = cloud.facts.zones;
    await cloud.facts.setCapacity(zone, false);
    try {
      const { imageId, instanceType } = cloud.facts;
      const command = new RunInstancesCommand({
        ImageId: imageId,
        InstanceType: instanceType as 'g5.xlarge',
        MinCount: 1,
        MaxCount: 1,
        Placement: { AvailabilityZone: zone },
        InstanceMarketOptions: { MarketType: 'spot' },
      });
      expect(await refusal(cloud.ec2.send(command))).toEqual({
        code: 'InsufficientInstanceCapacity',
        status: 500,
      });
      await expect(cloud.port.instances.launch(cloud.spot())).rejects.toMatchObject({
        kind: 'no_capacity',
        ambiguous: false,
      });
    } finally {
      await cloud.facts.setCapacity(zone, true);
    }
  },
};
