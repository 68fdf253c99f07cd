/** The filters of DescribeInstances, and of DescribeInstanceStatus where it has the same. */
import type { Instance } from '../books/entities';
import type { Cloud } from '../cloud';
import { newInstance } from '../instances/new-instance';
import { securityGroupOf, subnetOf, vpcOf } from '../instances/network';
import { instanceTypeFacts } from '../market/instance-types';
import { ROOT_DEVICE } from '../storage/disks';
import { zoneId } from './describe-availability-zones';
import { tagFilterValues } from './filters';
import {
  privateName,
  profileArn,
  publicName,
  stateCode,
  transitionReason,
  wholeSecond,
} from './instance-xml';

/** By which an unknown filter is told from one that is known. */
export const SAMPLE_INSTANCE: Instance = newInstance({
  region: 'xx-xx-1',
  zone: 'xx-xx-1a',
  instanceType: 'm5.large',
  imageId: 'ami-1',
  option: 'spot',
  now: 0,
  runsAt: 0,
});

export function instanceFilterValues(
  cloud: Cloud,
  instance: Instance,
  filter: string,
): readonly string[] | null {
  const some = (value: string | null | undefined): readonly string[] =>
    value === null || value === undefined ? [] : [value];
  const live = instance.state !== 'terminated';
  const { region, zone, devices } = instance;
  switch (filter) {
    case 'instance-id':
      return [instance.id];
    case 'instance-state-name':
      return [instance.state];
    case 'instance-state-code':
      return [String(stateCode(instance.state))];
    case 'instance-type':
      return [instance.instanceType];
    case 'availability-zone':
      return [zone];
    case 'availability-zone-id':
      return [zoneId(zone, region)];
    case 'image-id':
      return [instance.imageId];
    case 'instance-lifecycle':
      return instance.option === 'spot' ? ['spot'] : [];
    case 'client-token':
      return some(instance.clientToken);
    case 'reservation-id':
      return [instance.reservationId];
    case 'spot-instance-request-id':
      return some(instance.spotRequestId);
    case 'private-ip-address':
      return live ? [instance.privateIp] : [];
    case 'ip-address':
      return instance.state === 'pending' || instance.state === 'running' ? [instance.publicIp] : [];
    case 'private-dns-name':
      return live ? [privateName(instance)] : [];
    case 'dns-name':
      return live ? [publicName(instance)] : [];
    case 'key-name':
      return some(instance.keyName);
    case 'launch-index':
      return [String(instance.launchIndex)];
    case 'launch-time':
      return [wholeSecond(cloud.clock.wallAt(instance.launchedAt)).toISOString()];
    case 'owner-id':
      return [cloud.accountId];
    case 'subnet-id':
      return live ? [subnetOf(zone)] : [];
    case 'vpc-id':
      return live ? [vpcOf(region)] : [];
    case 'group-id':
    case 'instance.group-id':
      return live ? [securityGroupOf(region)] : [];
    case 'group-name':
    case 'instance.group-name':
      return live ? ['default'] : [];
    case 'iam-instance-profile.arn':
      return instance.instanceProfile === null ? [] : [profileArn(cloud, instance.instanceProfile)];
    case 'iam-instance-profile.name':
      return some(instance.instanceProfile);
    case 'hibernation-options.configured':
      return [String(instance.hibernationConfigured)];
    case 'metadata-options.instance-metadata-tags':
      return [instance.metadataTags ? 'enabled' : 'disabled'];
    case 'metadata-options.http-tokens':
      return ['required'];
    case 'architecture':
      return [instanceTypeFacts(instance.instanceType).architecture];
    case 'block-device-mapping.device-name':
      return devices.map(({ name }) => name);
    case 'block-device-mapping.volume-id':
      return devices.map(({ volumeId }) => volumeId);
    case 'block-device-mapping.delete-on-termination':
      return devices.map(({ deleteOnTermination }) => String(deleteOnTermination));
    case 'root-device-name':
      return [ROOT_DEVICE];
    case 'root-device-type':
      return ['ebs'];
    case 'virtualization-type':
      return ['hvm'];
    case 'hypervisor':
      return ['xen'];
    case 'tenancy':
      return ['default'];
    case 'monitoring-state':
      return ['disabled'];
    case 'state-reason-code':
      return some(instance.endReason?.code);
    case 'state-reason-message':
      return some(instance.endReason?.message);
    case 'reason':
      return instance.endReason ? [transitionReason(cloud, instance, instance.endReason)] : [];
    default:
      return tagFilterValues(instance.tags, filter);
  }
}
