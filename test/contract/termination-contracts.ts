/** The end of instances. Source: EC2 API reference, TerminateInstances. */
import { DescribeInstanceAttributeCommand, TerminateInstancesCommand } from '@aws-sdk/client-ec2';
import type { Contracts } from './contracts';
import { refusal, unknownIds } from './cloud-under-test';

export const terminationContracts: Contracts = {
  async 'terminating ends an instance, which stays visible with its reason'(cloud) {
    const { instanceId } = await cloud.running();
    const outcomes = await cloud.port.instances.terminate([instanceId]);
    expect(outcomes.get(instanceId)).toMatchObject({ outcome: 'requested' });
    const ended = await cloud.inState(instanceId, 'terminated');
    expect(ended.stateReasonCode).toBe('Client.UserInitiatedShutdown');
    expect(ended.stateReason).not.toBe('');
  },

  async 'terminating again succeeds'(cloud) {
    const { instanceId } = await cloud.running();
    await cloud.port.instances.terminate([instanceId]);
    await cloud.inState(instanceId, 'terminated');
    const again = await cloud.port.instances.terminate([instanceId]);
    expect(again.get(instanceId)).toMatchObject({ outcome: 'requested' });
    expect((await cloud.port.instances.describeOne(instanceId))?.state).toBe('terminated');
  },

  async 'one unknown id fails a whole raw call, and ends nothing'(cloud) {
    const { instanceId } = await cloud.running();
    const command = new TerminateInstancesCommand({ InstanceIds: [instanceId, unknownIds.instance] });
    expect(await refusal(cloud.ec2.send(command))).toEqual({
      code: 'InvalidInstanceID.NotFound',
      status: 400,
    });
    expect((await cloud.port.instances.describeOne(instanceId))?.state).toBe('running');
  },

  async 'a protected instance refuses'(cloud) {
    const { instanceId } = await cloud.running();
    await cloud.protect(instanceId);
    const command = new TerminateInstancesCommand({ InstanceIds: [instanceId] });
    expect(await refusal(cloud.ec2.send(command))).toEqual({ code: 'OperationNotPermitted', status: 400 });
    expect((await cloud.port.instances.describeOne(instanceId))?.state).toBe('running');
  },

  async 'a launch can protect its instance'(cloud) {
    const { instanceId } = await cloud.running(cloud.spec({ protectFromTermination: true }));
    const attribute = await cloud.ec2.send(
      new DescribeInstanceAttributeCommand({ InstanceId: instanceId, Attribute: 'disableApiTermination' }),
    );
    expect(attribute.DisableApiTermination?.Value).toBe(true);
    const outcomes = await cloud.port.instances.terminate([instanceId]);
    expect(outcomes.get(instanceId)).toMatchObject({ outcome: 'protected' });
  },

  async 'the port ends the others beside unknown, malformed and protected ones'(cloud) {
    const [one, other, kept] = await Promise.all([cloud.running(), cloud.running(), cloud.running()]);
    await cloud.protect(kept.instanceId);
    const outcomes = await cloud.port.instances.terminate([
      one.instanceId,
      unknownIds.instance,
      kept.instanceId,
      'i-nonsense',
      other.instanceId,
    ]);
    const summary = Object.fromEntries([...outcomes].map(([id, { outcome }]) => [id, outcome]));
    expect(summary).toEqual({
      [one.instanceId]: 'requested',
      [other.instanceId]: 'requested',
      [kept.instanceId]: 'protected',
      [unknownIds.instance]: 'unknown',
      'i-nonsense': 'unknown',
    });
    await cloud.inState(one.instanceId, 'terminated');
    expect((await cloud.port.instances.describeOne(kept.instanceId))?.state).toBe('running');
  },

  async 'the protected one of another zone keeps none of the others alive'(cloud) {
    const { zones, instanceType } = cloud.facts;
    const pool = { instanceType, zone: zones[1], option: 'ondemand' as const };
    const [free, kept] = await Promise.all([cloud.running(), cloud.running(cloud.spec({ pool }))]);
    await cloud.protect(kept.instanceId);
    const ids = [free.instanceId, kept.instanceId];
    expect((await refusal(cloud.ec2.send(new TerminateInstancesCommand({ InstanceIds: ids })))).code).toBe(
      'OperationNotPermitted',
    );
    await cloud.inState(free.instanceId, 'terminated');
    expect((await cloud.port.instances.describeOne(kept.instanceId))?.state).toBe('running');
  },
};
