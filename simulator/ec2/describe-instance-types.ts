import { instanceTypeFacts } from '../market/instance-types';
import type { InstanceTypeFacts } from '../market/instance-types';
import { Ec2Error } from './errors';
import { readFilters } from './filters';
import { readPage, takePage } from './paging';
import type { Ec2Action } from './request';
import type { XmlElements } from './xml';

/** The types of the region's market, with what `market/instance-types.ts` knows of them. */
export const describeInstanceTypes: Ec2Action = {
  parameters: ['InstanceType', 'Filter', 'MaxResults', 'NextToken', 'DryRun', 'IncludeUnsupportedInRegion'],
  run({ cloud, region, parameters, now }) {
    const asked = parameters.list('InstanceType');
    if (asked.length > 100)
      throw new Ec2Error('InvalidParameterValue', 'The maximum number of instance types is 100.');
    const offered = cloud.market.instanceTypes(region);
    const strangers = asked.filter((type) => !offered.includes(type));
    if (strangers.length > 0) {
      throw new Ec2Error(
        'InvalidInstanceType',
        `The following supplied instance types do not exist: [${strangers.join(', ')}]`,
      );
    }
    const page = readPage(parameters, { min: 5, max: 100, usual: 100 });
    const matches = readFilters(parameters, filterValues, instanceTypeFacts('m5.large'));
    const types = (asked.length > 0 ? [...new Set(asked)] : offered).map(instanceTypeFacts);
    const { items, nextToken } = takePage(types.filter(matches), page, now);
    return { instanceTypeSet: items.map(typeXml), nextToken };
  },
};

function typeXml(facts: InstanceTypeFacts): XmlElements {
  const { vcpus, memoryMib, gpu, architecture, hostDiskGb, hypervisor } = facts;
  const nitro = hypervisor === 'nitro';
  return {
    instanceType: facts.instanceType,
    currentGeneration: facts.currentGeneration,
    freeTierEligible: facts.instanceType === 't3.micro',
    supportedUsageClasses: ['on-demand', 'spot'],
    supportedRootDeviceTypes: ['ebs'],
    supportedVirtualizationTypes: ['hvm'],
    bareMetal: facts.instanceType.includes('.metal'),
    hypervisor,
    processorInfo: { supportedArchitectures: [architecture], sustainedClockSpeedInGhz: 2.5 },
    vCpuInfo: {
      defaultVCpus: vcpus,
      defaultCores: Math.max(1, vcpus / 2),
      defaultThreadsPerCore: vcpus > 1 ? 2 : 1,
    },
    memoryInfo: { sizeInMiB: memoryMib },
    instanceStorageSupported: hostDiskGb > 0,
    instanceStorageInfo: hostDiskGb > 0 ? { totalSizeInGB: hostDiskGb } : null,
    ebsInfo: {
      ebsOptimizedSupport: 'default',
      encryptionSupport: 'supported',
      nvmeSupport: nitro ? 'required' : 'unsupported',
    },
    networkInfo: { enaSupport: nitro ? 'required' : 'supported', ipv6Supported: true },
    gpuInfo: gpu && {
      gpus: [
        {
          name: gpu.name,
          manufacturer: gpu.manufacturer,
          count: gpu.count,
          memoryInfo: { sizeInMiB: gpu.memoryMib },
        },
      ],
      totalGpuMemoryInMiB: gpu.count * gpu.memoryMib,
    },
    inferenceAcceleratorInfo: facts.accelerated && !gpu ? { accelerators: [{ count: 1 }] } : null,
    hibernationSupported: facts.hibernation,
    burstablePerformanceSupported: /^t\d/.test(facts.instanceType),
    dedicatedHostsSupported: true,
    autoRecoverySupported: true,
  };
}

function filterValues(facts: InstanceTypeFacts, filter: string): readonly string[] | null {
  switch (filter) {
    case 'instance-type':
      return [facts.instanceType];
    case 'hibernation-supported':
      return [String(facts.hibernation)];
    case 'current-generation':
      return [String(facts.currentGeneration)];
    case 'bare-metal':
      return [String(facts.instanceType.includes('.metal'))];
    case 'burstable-performance-supported':
      return [String(/^t\d/.test(facts.instanceType))];
    case 'instance-storage-supported':
      return [String(facts.hostDiskGb > 0)];
    case 'processor-info.supported-architecture':
      return [facts.architecture];
    case 'supported-usage-class':
      return ['on-demand', 'spot'];
    case 'supported-root-device-type':
      return ['ebs'];
    case 'supported-virtualization-type':
      return ['hvm'];
    case 'hypervisor':
      return [facts.hypervisor];
    case 'vcpu-info.default-vcpus':
      return [String(facts.vcpus)];
    case 'memory-info.size-in-mib':
      return [String(facts.memoryMib)];
    default:
      return null;
  }
}
