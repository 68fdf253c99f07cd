/** An instance as EC2 shows it. */
import { createHash } from 'node:crypto';
import type { Cloud } from '../cloud';
import type { EndReason, Instance, InstanceState } from '../books/entities';
import { USER_ENDED, USER_HIBERNATED } from '../instances/lifecycle';
import { securityGroupOf, subnetOf, vpcOf } from '../instances/network';
import { instanceTypeFacts } from '../market/instance-types';
import { ROOT_DEVICE } from '../storage/disks';
import { zoneId } from './describe-availability-zones';
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

/** Where it comes to depend on more than the record, written-instance.ts must know. */
export function instanceXml(cloud: Cloud, instance: Instance): XmlElements {
  const hasNetwork = instance.state !== 'terminated';
  const isUp = instance.state === 'pending' || instance.state === 'running';
  const { region, zone, endReason } = instance;
  return {
    instanceId: instance.id,
    imageId: instance.imageId,
    instanceState: stateXml(instance.state),
    privateDnsName: hasNetwork ? privateName(instance) : '',
    dnsName: isUp ? publicName(instance) : '',
    reason: endReason ? transitionReason(cloud, instance, endReason) : '',
    keyName: instance.keyName,
    amiLaunchIndex: instance.launchIndex,
    productCodes: [],
    instanceType: instance.instanceType,
    launchTime: wholeSecond(cloud.clock.wallAt(instance.launchedAt)),
    placement: {
      availabilityZone: zone,
      availabilityZoneId: zoneId(zone, region),
      groupName: '',
      tenancy: 'default',
    },
    monitoring: { state: 'disabled' },
    subnetId: hasNetwork ? subnetOf(zone) : null,
    vpcId: hasNetwork ? vpcOf(region) : null,
    privateIpAddress: hasNetwork ? instance.privateIp : null,
    ipAddress: isUp ? instance.publicIp : null,
    sourceDestCheck: hasNetwork ? true : null,
    groupSet: hasNetwork ? [defaultGroup(region)] : [],
    stateReason: endReason && { code: endReason.code, message: endReason.message },
    architecture: instanceTypeFacts(instance.instanceType).architecture,
    rootDeviceType: 'ebs',
    rootDeviceName: ROOT_DEVICE,
    blockDeviceMapping: hasNetwork ? instance.devices.map((device) => deviceXml(cloud, device)) : [],
    virtualizationType: 'hvm',
    instanceLifecycle: instance.option === 'spot' ? 'spot' : null,
    spotInstanceRequestId: instance.spotRequestId,
    clientToken: instance.clientToken ?? '',
    tagSet: tagSet(instance.tags),
    hypervisor: 'xen',
    networkInterfaceSet: hasNetwork ? [networkInterface(cloud, instance, isUp)] : [],
    iamInstanceProfile:
      instance.instanceProfile === null ? null : profileXml(cloud, instance.instanceProfile),
    ebsOptimized: false,
    enaSupport: true,
    hibernationOptions: { configured: instance.hibernationConfigured },
    metadataOptions: {
      state: hasNetwork ? 'applied' : 'pending',
      httpTokens: 'required',
      httpPutResponseHopLimit: 2,
      httpEndpoint: 'enabled',
      instanceMetadataTags: instance.metadataTags ? 'enabled' : 'disabled',
    },
    platformDetails: 'Linux/UNIX',
    usageOperation: 'RunInstances',
  };
}

export function publicName(instance: Instance): string {
  return `ec2-${instance.publicIp.replaceAll('.', '-')}.${instance.region}.compute.amazonaws.com`;
}

export function privateName({ privateIp, region }: Instance): string {
  return `ip-${privateIp.replaceAll('.', '-')}.${region}.compute.internal`;
}

/** EC2 stores moments of launches and prices to the second. */
export function wholeSecond(moment: Date): Date {
  return new Date(Math.floor(moment.getTime() / 1000) * 1000);
}

export function transitionReason(cloud: Cloud, instance: Instance, reason: EndReason): string {
  const words = BY_USER[reason.code];
  if (words === undefined) return reason.code;
  const moment = instance.endedAt ?? instance.stoppedAt ?? instance.launchedAt;
  const at = cloud.clock.wallAt(moment).toISOString();
  return `${words} (${at.slice(0, 10)} ${at.slice(11, 19)} GMT)`;
}

const BY_USER: Readonly<Record<string, string>> = {
  [USER_ENDED.code]: 'User initiated',
  [USER_HIBERNATED.code]: 'User initiated',
};

export function profileArn({ accountId }: Cloud, name: string): string {
  return `arn:aws:iam::${accountId}:instance-profile/${name}`;
}

function profileXml(cloud: Cloud, name: string): XmlElements {
  const id = createHash('sha256').update(name).digest('hex').slice(0, 17).toUpperCase();
  return { arn: profileArn(cloud, name), id: `AIPA${id}` };
}

function networkInterface(cloud: Cloud, instance: Instance, isUp: boolean): XmlElements {
  const { id, region, zone, privateIp, publicIp } = instance;
  return {
    networkInterfaceId: `eni-${id.slice('i-'.length)}`,
    subnetId: subnetOf(zone),
    vpcId: vpcOf(region),
    ownerId: cloud.accountId,
    status: 'in-use',
    privateIpAddress: privateIp,
    privateDnsName: privateName(instance),
    sourceDestCheck: true,
    groupSet: [defaultGroup(region)],
    association: isUp ? { publicIp, publicDnsName: publicName(instance), ipOwnerId: 'amazon' } : null,
  };
}

export function defaultGroup(region: string): XmlElements {
  return { groupId: securityGroupOf(region), groupName: 'default' };
}
