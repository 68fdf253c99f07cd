/** An instance as EC2 shows it. */
import type { Cloud } from '../cloud';
import type { EndReason, Instance, InstanceState } from '../books/entities';
import { USER_ENDED } from '../instances/lifecycle';
import { ROOT_DEVICE } from '../storage/disks';
import { tagSet } from './tags';
import { deviceXml } from './volume-xml';
import type { XmlElements } from './xml';

const STATE_CODES: Readonly<Record<InstanceState, number>> = {
  pending: 0,
  running: 16,
  'shutting-down': 32,
  terminated: 48,
  stopping: 64,
  stopped: 80,
};

export function stateXml(state: InstanceState): XmlElements {
  return { code: STATE_CODES[state], name: state };
}

export function stateCode(state: InstanceState): number {
  return STATE_CODES[state];
}

export function instanceXml(cloud: Cloud, instance: Instance): XmlElements {
  const hasNetwork = instance.state !== 'terminated';
  const dashed = instance.privateIp.replaceAll('.', '-');
  return {
    instanceId: instance.id,
    imageId: instance.imageId,
    instanceState: stateXml(instance.state),
    privateDnsName: hasNetwork ? `ip-${dashed}.${instance.region}.compute.internal` : '',
    dnsName: hasNetwork ? publicName(instance) : '',
    reason: instance.endReason ? transitionReason(cloud, instance, instance.endReason) : '',
    keyName: instance.keyName,
    amiLaunchIndex: instance.launchIndex,
    productCodes: [],
    instanceType: instance.instanceType,
    launchTime: wholeSecond(cloud.clock.wallAt(instance.launchedAt)),
    placement: { availabilityZone: instance.zone, groupName: '', tenancy: 'default' },
    monitoring: { state: 'disabled' },
    privateIpAddress: hasNetwork ? instance.privateIp : null,
    ipAddress: hasNetwork ? instance.publicIp : null,
    sourceDestCheck: hasNetwork ? true : null,
    groupSet: [],
    stateReason: instance.endReason && { code: instance.endReason.code, message: instance.endReason.message },
    architecture: 'x86_64',
    rootDeviceType: 'ebs',
    rootDeviceName: ROOT_DEVICE,
    blockDeviceMapping:
      instance.state === 'terminated' ? [] : instance.devices.map((device) => deviceXml(cloud, device)),
    virtualizationType: 'hvm',
    instanceLifecycle: instance.option === 'spot' ? 'spot' : null,
    spotInstanceRequestId: instance.spotRequestId,
    clientToken: instance.clientToken ?? '',
    tagSet: tagSet(instance.tags),
    hypervisor: 'xen',
    networkInterfaceSet: [],
    ebsOptimized: false,
    enaSupport: true,
    metadataOptions: {
      state: hasNetwork ? 'applied' : 'pending',
      httpTokens: 'required',
      httpPutResponseHopLimit: 2,
      httpEndpoint: 'enabled',
      instanceMetadataTags: 'disabled',
    },
    platformDetails: 'Linux/UNIX',
    usageOperation: 'RunInstances',
  };
}

export function publicName(instance: Instance): string {
  return `ec2-${instance.publicIp.replaceAll('.', '-')}.${instance.region}.compute.amazonaws.com`;
}

/** EC2 stores moments of launches and prices to the second. */
export function wholeSecond(moment: Date): Date {
  return new Date(Math.floor(moment.getTime() / 1000) * 1000);
}

function transitionReason(cloud: Cloud, instance: Instance, reason: EndReason): string {
  if (reason.code !== USER_ENDED.code) return reason.code;
  const at = cloud.clock.wallAt(instance.endedAt ?? instance.launchedAt).toISOString();
  return `User initiated (${at.slice(0, 10)} ${at.slice(11, 19)} GMT)`;
}
