/** Client tokens. Source: EC2 developer guide, "Ensuring idempotency in Amazon EC2 API requests". */
import type { Contracts } from './contracts';
import { refusal } from './cloud-under-test';

export const clientTokenContracts: Contracts = {
  async 'the same token with the same parameters gives the same instance'(cloud) {
    const spec = cloud.spot();
    const first = await cloud.port.instances.launch(spec);
    expect(await cloud.port.instances.launch(spec)).toEqual(first);
    expect(await cloud.port.instances.findByTags(spec.tags)).toHaveLength(1);
  },

  async 'the same token with changed parameters is refused'(cloud) {
    const spec = cloud.spec();
    await cloud.port.instances.launch(spec);
    await expect(cloud.port.instances.launch({ ...spec, userData: 'other' })).rejects.toMatchObject({
      kind: 'never',
      code: 'IdempotentParameterMismatch',
    });
  },

  async 'the token of a terminated instance is spent'(cloud) {
    const spec = cloud.spec();
    const { instanceId } = await cloud.running(spec);
    await cloud.port.instances.terminate([instanceId]);
    await cloud.inState(instanceId, 'terminated');
    await expect(cloud.port.instances.launch(spec)).rejects.toMatchObject({
      code: 'IdempotentInstanceTerminated',
    });
  },

  async 'a token belongs to its zone when the launch names one'(cloud) {
    const spec = cloud.spec();
    const first = await cloud.port.instances.launch(spec);
    const [, zone] = cloud.facts.zones;
    const second = await cloud.port.instances.launch({ ...spec, pool: { ...spec.pool, zone } });
    expect(second.instanceId).not.toBe(first.instanceId);
    expect((await cloud.port.instances.describeOne(second.instanceId))?.zone).toBe(zone);
  },

  async 'a token of 64 characters is taken, and one more is not'(cloud) {
    const ClientToken = cloud.unique('t').padEnd(64, 'x');
    const { InstanceId } = await cloud.run({ ClientToken });
    const described = await cloud.port.instances.describeOne(InstanceId);
    expect(described?.clientToken).toBe(ClientToken);
    expect((await refusal(cloud.run({ ClientToken: `${ClientToken}x` }))).status).toBe(400);
  },
};
