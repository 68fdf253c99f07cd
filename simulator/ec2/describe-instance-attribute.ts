import { ROOT_DEVICE } from '../storage/disks';
import { missing } from './errors';
import { findInstances } from './instance-lookup';
import { defaultGroup } from './instance-xml';
import type { Ec2Action } from './request';
import { deviceXml } from './volume-xml';
import type { XmlElements } from './xml';

const ATTRIBUTES = [
  ...(['instanceType', 'userData', 'disableApiTermination', 'disableApiStop'] as const),
  ...(['instanceInitiatedShutdownBehavior', 'rootDeviceName', 'blockDeviceMapping'] as const),
  ...(['sourceDestCheck', 'groupSet', 'ebsOptimized', 'enaSupport', 'kernel', 'ramdisk'] as const),
  ...(['productCodes', 'sriovNetSupport', 'enclaveOptions'] as const),
];

export const describeInstanceAttribute: Ec2Action = {
  parameters: ['InstanceId', 'Attribute', 'DryRun'],
  run({ cloud, region, parameters }) {
    const attribute = parameters.choice('Attribute', ATTRIBUTES);
    if (attribute === null) throw missing('Attribute');
    const [instance] = findInstances(cloud, region, [parameters.required('InstanceId')]);
    if (!instance) throw missing('InstanceId');
    const one = (value: string | boolean | null): XmlElements => ({
      instanceId: instance.id,
      [attribute]: value === null ? {} : { value },
    });
    switch (attribute) {
      case 'instanceType':
        return one(instance.instanceType);
      case 'userData':
        return one(instance.userData);
      case 'disableApiTermination':
        return one(instance.disableApiTermination);
      case 'disableApiStop':
        return one(instance.disableApiStop);
      case 'instanceInitiatedShutdownBehavior':
        return one(instance.shutdownBehavior);
      case 'rootDeviceName':
        return one(ROOT_DEVICE);
      case 'sourceDestCheck':
      case 'enaSupport':
        return one(true);
      case 'ebsOptimized':
        return one(false);
      case 'kernel':
      case 'ramdisk':
      case 'sriovNetSupport':
        return one(null);
      case 'blockDeviceMapping':
        return {
          instanceId: instance.id,
          blockDeviceMapping: instance.devices.map((device) => deviceXml(cloud, device)),
        };
      case 'groupSet':
        return { instanceId: instance.id, groupSet: [defaultGroup(region)] };
      case 'productCodes':
        return { instanceId: instance.id, productCodes: [] };
      case 'enclaveOptions':
        return { instanceId: instance.id, enclaveOptions: { enabled: false } };
    }
  },
};
