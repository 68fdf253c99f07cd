/** What a launch asks for, read from RunInstances, or from a launch template's parameters, which have the same names. */
import type { Tags } from '../books/entities';
import { LONGEST_TOKEN } from '../instances/client-tokens';
import { subnetOf } from '../instances/network';
import { zoneId } from './describe-availability-zones';
import { Ec2Error, invalid } from './errors';
import { readMarketOptions } from './market-options';
import type { MarketOptions } from './market-options';
import type { QueryParameters } from './query-parameters';
import { readTagSpecifications } from './tags';

export interface LaunchRequest {
  readonly imageId: string;
  readonly instanceType: string;
  /** Null leaves it to EC2. */
  readonly zone: string | null;
  readonly market: MarketOptions;
  readonly userData: string | null;
  readonly keyName: string | null;
  readonly instanceProfile: string | null;
  readonly disableApiTermination: boolean;
  readonly disableApiStop: boolean;
  readonly shutdownBehavior: 'stop' | 'terminate';
  readonly metadataTags: boolean;
  readonly tags: Tags;
  readonly requestTags: Tags;
}

/** What a launch takes beside its image, counts, token and template; the last lines are without effect here. */
export const LAUNCH_PARAMETERS: readonly string[] = [
  ...['ImageId', 'InstanceType', 'Placement', 'SubnetId', 'NetworkInterface', 'UserData', 'KeyName'],
  ...['TagSpecification', 'InstanceMarketOptions', 'BlockDeviceMapping', 'HibernationOptions'],
  ...['DisableApiTermination', 'DisableApiStop', 'InstanceInitiatedShutdownBehavior', 'MetadataOptions'],
  'IamInstanceProfile',
  ...['SecurityGroup', 'SecurityGroupId', 'Monitoring', 'EbsOptimized', 'CreditSpecification', 'CpuOptions'],
  ...['CapacityReservationSpecification', 'PrivateIpAddress', 'MaintenanceOptions', 'EnclaveOptions'],
  ...['PrivateDnsNameOptions', 'AdditionalInfo', 'LicenseSpecification', 'NetworkPerformanceOptions'],
];

const LONGEST_USER_DATA_BYTES = 16 * 1024;
const TAGGED = ['instance', 'volume', 'network-interface', 'spot-instances-request', 'elastic-gpu'];

/** @throws Ec2Error for what EC2 would not take, whatever there is of it. */
export function readLaunch(parameters: QueryParameters, zones: readonly string[]): LaunchRequest {
  const market = readMarketOptions(parameters);
  const disableApiTermination = parameters.boolean('DisableApiTermination') ?? false;
  if (disableApiTermination && market.option === 'spot')
    throw new Ec2Error(
      'UnsupportedOperation',
      "'disableApiTermination' is not supported for spot instances.",
    );
  const others = (type: string) => TAGGED.filter((other) => other !== type);
  return {
    imageId: parameters.required('ImageId'),
    instanceType: parameters.text('InstanceType') ?? 'm1.small',
    zone: readZone(parameters, zones),
    market,
    userData: readUserData(parameters.text('UserData')),
    keyName: parameters.text('KeyName'),
    instanceProfile: readInstanceProfile(parameters.group('IamInstanceProfile')),
    disableApiTermination,
    disableApiStop: parameters.boolean('DisableApiStop') ?? false,
    shutdownBehavior: parameters.choice('InstanceInitiatedShutdownBehavior', ['stop', 'terminate']) ?? 'stop',
    metadataTags:
      parameters.group('MetadataOptions').choice('InstanceMetadataTags', ['enabled', 'disabled']) ===
      'enabled',
    tags: readTagSpecifications(parameters, 'instance', others('instance')),
    requestTags: readTagSpecifications(
      parameters,
      'spot-instances-request',
      others('spot-instances-request'),
    ),
  };
}

/** The zone that is named, or whose subnet is. @throws Ec2Error when there is no such, or they are two. */
export function readZone(parameters: QueryParameters, zones: readonly string[]): string | null {
  const [nic] = parameters.groups('NetworkInterface');
  const subnet = parameters.text('SubnetId') ?? nic?.text('SubnetId') ?? null;
  const placement = parameters.group('Placement');
  const named = placement.text('AvailabilityZone');
  const namedId = placement.text('AvailabilityZoneId');
  if (named !== null && !zones.includes(named)) throw invalid(`Invalid availability zone: [${named}]`);
  const ofId = zones.find((zone) => zoneId(zone, zone.slice(0, -1)) === namedId);
  if (namedId !== null && ofId === undefined) throw invalid(`Invalid availability zone: [${namedId}]`);
  const zone = named ?? ofId ?? null;
  if (subnet === null) return zone;
  const ofSubnet = zones.find((one) => subnetOf(one) === subnet);
  if (ofSubnet === undefined)
    throw new Ec2Error('InvalidSubnetID.NotFound', `The subnet ID '${subnet}' does not exist`);
  if (zone !== null && zone !== ofSubnet)
    throw invalid(`The availability zone ${zone} is not that of the subnet '${subnet}'`);
  return ofSubnet;
}

/** @throws Ec2Error for one that is too long, or isn't ASCII. */
export function readClientToken(parameters: QueryParameters): string | null {
  const token = parameters.text('ClientToken');
  if (token !== null && (token.length > LONGEST_TOKEN || !/^[\x20-\x7e]+$/.test(token))) {
    throw invalid(
      `Invalid value '${token}' for ClientToken. It takes up to ${LONGEST_TOKEN} ASCII characters`,
    );
  }
  return token;
}

/** @throws Ec2Error for what isn't base64 of at most 16 KiB. */
export function readUserData(userData: string | null): string | null {
  if (userData === null) return null;
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(userData.replace(/\s/g, '')))
    throw invalid('Invalid BASE64 encoding of user data.');
  if (Buffer.from(userData, 'base64').length > LONGEST_USER_DATA_BYTES) {
    throw invalid(`User data is limited to ${LONGEST_USER_DATA_BYTES} bytes`);
  }
  return userData;
}

/** Its name, be it given by name or ARN: any that IAM would take is there. */
function readInstanceProfile(group: QueryParameters): string | null {
  const name = group.text('Name');
  const arn = group.text('Arn');
  if (name !== null && arn !== null) {
    throw new Ec2Error(
      'InvalidParameterCombination',
      "The parameter 'iamInstanceProfile.name' may not be used in combination with 'iamInstanceProfile.arn'",
    );
  }
  if (arn !== null) {
    const match = /^arn:aws:iam::\d{12}:instance-profile\/(?:[!-~]+\/)?([\w+=,.@-]{1,128})$/.exec(arn);
    if (!match?.[1]) throw invalid(`Value (${arn}) for parameter iamInstanceProfile.arn is invalid.`);
    return match[1];
  }
  if (name !== null && !/^[\w+=,.@-]{1,128}$/.test(name)) {
    throw invalid(
      `Value (${name}) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name`,
    );
  }
  return name;
}
