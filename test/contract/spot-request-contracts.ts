/** Spot requests. Source: EC2 API reference, DescribeSpotInstanceRequests; user guide, "Spot request status". */
import { until } from '../harness/until';
import { unknownIds } from './cloud-under-test';
import type { Contracts } from './contracts';

export const spotRequestContracts: Contracts = {
  async 'a launch on spot has a one-time request that is fulfilled'(cloud) {
    const launched = await cloud.port.instances.launch(cloud.spot());
    const { instanceId, spotRequestId } = await cloud.inState(launched.instanceId, 'running');
    expect(spotRequestId).toMatch(/^sir-[0-9a-z]{8}$/);
    expect(launched.spotRequestId).toBe(spotRequestId);
    const { found } = await cloud.port.spotRequests.describe([spotRequestId!]);
    const request = found.get(spotRequestId!);
    expect(request).toMatchObject({
      state: 'active',
      statusCode: 'fulfilled',
      instanceId,
      type: 'one-time',
      interruptionBehavior: 'terminate',
    });
    expect(request?.statusMessage).not.toBe('');
    expect(Math.abs(Date.parse(request!.statusUpdatedAt!) - Date.now())).toBeLessThan(60_000);
  },

  async 'requests are found by their instances, of which on-demand ones have none'(cloud) {
    const [spot, onDemand] = await Promise.all([cloud.running(cloud.spot()), cloud.running()]);
    const requests = await cloud.port.spotRequests.ofInstances([spot.instanceId, onDemand.instanceId]);
    expect(requests.map(({ spotRequestId }) => spotRequestId)).toEqual([spot.spotRequestId]);
  },

  async 'one unknown id hides none of the others'(cloud) {
    const { spotRequestId } = await cloud.running(cloud.spot());
    const { found, unknown } = await cloud.port.spotRequests.describe([
      unknownIds.spotRequest,
      spotRequestId!,
    ]);
    expect([...found.keys()]).toEqual([spotRequestId]);
    expect(unknown).toEqual([unknownIds.spotRequest]);
  },

  async 'a cancelled request leaves its instance running'(cloud) {
    const { instanceId, spotRequestId } = await cloud.running(cloud.spot());
    const outcomes = await cloud.port.spotRequests.cancel([unknownIds.spotRequest, spotRequestId!]);
    expect(outcomes.get(spotRequestId!)).toMatchObject({ outcome: 'cancelled' });
    expect(outcomes.get(unknownIds.spotRequest)).toMatchObject({ outcome: 'unknown' });
    const { found } = await cloud.port.spotRequests.describe([spotRequestId!]);
    expect(found.get(spotRequestId!)).toMatchObject({
      state: 'cancelled',
      statusCode: 'request-canceled-and-instance-running',
    });
    expect((await cloud.port.instances.describeOne(instanceId))?.state).toBe('running');
  },

  async 'the request of a terminated instance is closed, and says by whom'(cloud) {
    const { instanceId, spotRequestId } = await cloud.running(cloud.spot());
    await cloud.port.instances.terminate([instanceId]);
    await cloud.inState(instanceId, 'terminated');
    expect(spotRequestId).not.toBeNull();
    const closed = await until(
      'the request is closed',
      async () => {
        const request = (await cloud.port.spotRequests.describe([spotRequestId!])).found.get(spotRequestId!);
        return request?.state === 'closed' ? request : null;
      },
      5_000,
    );
    expect(closed.statusCode).toBe('instance-terminated-by-user');
  },
};
