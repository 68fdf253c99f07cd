/** Launches over several pools. Source: EC2 API reference, CreateFleet; user guide, "EC2 Fleet of type instant". */
import { DescribeLaunchTemplatesCommand } from '@aws-sdk/client-ec2';
import type { FleetSpec } from '../../cloud/instance-port';
import type { PurchaseOption } from '../../contracts/states';
import { type CloudUnderTest, refusal } from './cloud-under-test';
import type { Contracts } from './contracts';

function fleet(cloud: CloudUnderTest, option: PurchaseOption = 'spot'): FleetSpec {
  const { instanceType, zones } = cloud.facts;
  const { clientToken, imageId, userData, tags } = cloud.spec();
  return {
    clientToken,
    imageId,
    userData,
    tags,
    pools: zones.map((zone) => ({ instanceType, zone, option })),
  };
}

export const fleetContracts: Contracts = {
  async 'one call gives one spot instance in one of its pools'(cloud) {
    const spec = fleet(cloud);
    const { instances, errors } = await cloud.port.instances.launchAcross(spec);
    expect(errors).toEqual([]);
    expect(instances).toHaveLength(1);
    const { instanceId, pool } = instances[0]!;
    expect(spec.pools).toContainEqual(pool);
    const found = await cloud.inState(instanceId, 'running');
    expect(found).toMatchObject({
      imageId: spec.imageId,
      instanceType: pool.instanceType,
      zone: pool.zone,
      option: 'spot',
    });
    expect(found.tags).toMatchObject(spec.tags);
  },

  async 'one call gives one on-demand instance'(cloud) {
    const { instances } = await cloud.port.instances.launchAcross(fleet(cloud, 'ondemand'));
    expect(instances).toHaveLength(1);
    const found = await cloud.port.instances.describeOne(instances[0]!.instanceId);
    expect(found).toMatchObject({ option: 'ondemand', spotRequestId: null });
  },

  async 'the same token gives the same instance'(cloud) {
    const spec = fleet(cloud);
    const [first] = (await cloud.port.instances.launchAcross(spec)).instances;
    const [again] = (await cloud.port.instances.launchAcross(spec)).instances;
    expect(again?.instanceId).toBe(first?.instanceId);
    expect(await cloud.port.instances.findByTags(spec.tags)).toHaveLength(1);
  },

  async 'its launch template is gone afterwards'(cloud) {
    const spec = fleet(cloud);
    await cloud.port.instances.launchAcross(spec);
    const LaunchTemplateNames = [`spotkeeper-${spec.clientToken.slice(0, 35)}`];
    const look = cloud.ec2.send(new DescribeLaunchTemplatesCommand({ LaunchTemplateNames }));
    expect((await refusal(look)).code).toBe('InvalidLaunchTemplateName.NotFoundException');
  },

  async 'a pool without room is passed over'(cloud) {
    const [taken, free] = cloud.facts.zones;
    await cloud.facts.setCapacity(taken, false);
    try {
      const { instances } = await cloud.port.instances.launchAcross(fleet(cloud));
      expect(instances.map(({ pool }) => pool.zone)).toEqual([free]);
    } finally {
      await cloud.facts.setCapacity(taken, true);
    }
  },

  async 'pools without room are errors in an answer, each with its pool'(cloud) {
    const { zones } = cloud.facts;
    await Promise.all(zones.map((zone) => cloud.facts.setCapacity(zone, false)));
    try {
      const { instances, errors } = await cloud.port.instances.launchAcross(fleet(cloud));
      expect(instances).toEqual([]);
      expect(errors.map(({ pool }) => pool?.zone).sort()).toEqual([...zones].sort());
      expect(new Set(errors.map(({ error }) => error.kind))).toEqual(new Set(['no_capacity']));
    } finally {
      await Promise.all(zones.map((zone) => cloud.facts.setCapacity(zone, true)));
    }
  },
};
