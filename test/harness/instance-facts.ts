/** What is known of some spot instance, where a test doesn't care which. */
import type { InstanceFacts } from '../../contracts/messages';

export function instanceFacts(instanceId: string, over: Partial<InstanceFacts> = {}): InstanceFacts {
  return {
    instanceId,
    instanceType: 'p3.2xlarge',
    zone: 'us-east-1a',
    region: 'us-east-1',
    mode: 'spot',
    imageId: 'ami-1',
    accountId: '000000000000',
    hostname: null,
    privateIp: null,
    publicIp: null,
    agentVersion: null,
    ...over,
  };
}
