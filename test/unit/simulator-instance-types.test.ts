import { instanceTypeFacts } from '../../simulator/market/instance-types';

test.each([
  ['p3.2xlarge', { vcpus: 8, memoryMib: 62_464, accelerated: true, hibernation: false, hostDiskGb: 0 }],
  ['p2.16xlarge', { vcpus: 64, accelerated: true, currentGeneration: false }],
  ['g4dn.xlarge', { vcpus: 4, memoryMib: 16_384, accelerated: true, hibernation: false }],
  ['g5.12xlarge', { vcpus: 48, accelerated: true }],
  ['trn1.2xlarge', { accelerated: true, gpu: null, hibernation: false }],
  ['m5.large', { vcpus: 2, memoryMib: 8_192, accelerated: false, gpu: null, hibernation: true }],
  ['c6gd.xlarge', { vcpus: 4, memoryMib: 8_192, architecture: 'arm64', accelerated: false }],
  ['r5.24xlarge', { vcpus: 96, memoryMib: 786_432, hibernation: false }],
  ['m5.metal', { hibernation: false }],
  ['t3.micro', { vcpus: 2, memoryMib: 1_024, currentGeneration: true }],
])('%s has what EC2 says', (type, facts) => expect(instanceTypeFacts(type)).toMatchObject(facts));

test('GPUs are counted by size', () => {
  const counts = ['p3.2xlarge', 'p3.8xlarge', 'p3.16xlarge', 'g5.xlarge', 'g5.48xlarge'].map(
    (type) => instanceTypeFacts(type).gpu?.count,
  );
  expect(counts).toEqual([1, 4, 8, 1, 8]);
});
