/** Stop and start. Source: EC2 API reference, StopInstances, StartInstances; user guide, hibernation prerequisites. */
import { StopInstancesCommand } from '@aws-sdk/client-ec2';
import type { Contracts } from './contracts';
import { refusal, unknownIds } from './cloud-under-test';

export const powerContracts: Contracts = {
  async 'an instance stops and starts, and keeps its id and disk'(cloud) {
    const before = await cloud.running();
    const { instanceId } = before;
    expect(await cloud.port.instances.stop(instanceId)).toMatchObject({ outcome: 'requested' });
    const stopped = await cloud.inState(instanceId, 'stopped');
    expect(stopped.stateReasonCode).toBe('Client.UserInitiatedShutdown');
    expect(await cloud.port.instances.start(instanceId)).toMatchObject({ outcome: 'requested' });
    const after = await cloud.inState(instanceId, 'running');
    expect(after.volumes).toEqual(before.volumes);
    expect(after.stateReasonCode).toBe('');
  },

  async 'stopping what is stopped, and starting what runs, succeeds'(cloud) {
    const { instanceId } = await cloud.running();
    expect(await cloud.port.instances.start(instanceId)).toMatchObject({ outcome: 'requested' });
    await cloud.inState(instanceId, 'running');
    await cloud.port.instances.stop(instanceId);
    await cloud.inState(instanceId, 'stopped');
    expect(await cloud.port.instances.stop(instanceId)).toMatchObject({ outcome: 'requested' });
    await cloud.inState(instanceId, 'stopped');
  },

  async 'a one-time spot instance can not stop'(cloud) {
    const { instanceId } = await cloud.running(cloud.spot());
    const command = new StopInstancesCommand({ InstanceIds: [instanceId] });
    expect(await refusal(cloud.ec2.send(command))).toEqual({ code: 'UnsupportedOperation', status: 400 });
    expect(await cloud.port.instances.stop(instanceId)).toMatchObject({ outcome: 'impossible' });
    expect((await cloud.port.instances.describeOne(instanceId))?.state).toBe('running');
  },

  async 'an instance launched without the flag can not hibernate'(cloud) {
    const { instanceId } = await cloud.running();
    expect(await cloud.port.instances.stop(instanceId, { hibernate: true })).toMatchObject({
      outcome: 'impossible',
      code: 'UnsupportedHibernationConfiguration',
    });
    expect((await cloud.port.instances.describeOne(instanceId))?.state).toBe('running');
  },

  async 'what is terminated neither stops nor starts'(cloud) {
    const { instanceId } = await cloud.running();
    await cloud.port.instances.terminate([instanceId]);
    await cloud.inState(instanceId, 'terminated');
    expect(await cloud.port.instances.stop(instanceId)).toMatchObject({ outcome: 'wrong_state' });
    expect(await cloud.port.instances.start(instanceId)).toMatchObject({ outcome: 'wrong_state' });
  },

  async 'what is not there neither stops nor starts'(cloud) {
    expect(await cloud.port.instances.stop(unknownIds.instance)).toMatchObject({ outcome: 'unknown' });
    expect(await cloud.port.instances.start(unknownIds.instance)).toMatchObject({ outcome: 'unknown' });
  },
};
