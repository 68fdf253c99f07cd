/**
 * RunInstances. The order of its checks: the request's form, its client token, the image, the pool, the capacity.
 * Nothing is booked, the token neither, unless all of it succeeds.
 */
import type { Instance, PurchaseOption, Tags } from '../books/entities';
import { newId } from '../ids';
import { judgeToken, LONGEST_TOKEN, requestFingerprint, tokenKey } from '../instances/client-tokens';
import type { PoolRecord } from '../market/market';
import { Ec2Error, invalid, missing } from './errors';
import { findLaunchableImage } from './image-catalog';
import { instanceXml } from './instance-xml';
import { readLaunchDisks } from './launch-disks';
import { newInstance } from './new-instance';
import type { QueryParameters } from './query-parameters';
import { refuseDryRun } from './request';
import type { Ec2Action, Ec2Request } from './request';
import { readTagSpecifications } from './tags';
import type { XmlElements } from './xml';

const MOST_AT_ONCE = 1000;
const LONGEST_USER_DATA_BYTES = 16 * 1024;

interface LaunchRequest {
  readonly imageId: string;
  readonly instanceType: string;
  readonly zone: string | null;
  readonly min: number;
  readonly max: number;
  readonly option: PurchaseOption;
  /** US dollars an hour. */
  readonly maxPrice: number | null;
  readonly clientToken: string | null;
  readonly userData: string | null;
  readonly keyName: string | null;
  readonly tags: Tags;
  readonly metadataTags: boolean;
  readonly instanceProfile: string | null;
}

export const runInstances: Ec2Action = {
  parameters: [
    ...['ImageId', 'InstanceType', 'MinCount', 'MaxCount', 'Placement', 'ClientToken', 'UserData', 'KeyName'],
    ...[
      'TagSpecification',
      'InstanceMarketOptions',
      'DryRun',
      'SubnetId',
      'LaunchTemplate',
      'BlockDeviceMapping',
    ],
    // Taken and without effect here.
    ...['SecurityGroup', 'SecurityGroupId', 'Monitoring', 'IamInstanceProfile'],
    ...['NetworkInterface', 'EbsOptimized', 'MetadataOptions', 'DisableApiTermination', 'DisableApiStop'],
    ...['InstanceInitiatedShutdownBehavior', 'CreditSpecification', 'CpuOptions', 'HibernationOptions'],
    ...['CapacityReservationSpecification', 'PrivateIpAddress', 'MaintenanceOptions', 'EnclaveOptions'],
    ...['PrivateDnsNameOptions', 'AdditionalInfo', 'LicenseSpecification', 'NetworkPerformanceOptions'],
  ],
  run(request) {
    const { cloud, region, parameters, now } = request;
    const wanted = readLaunch(parameters);
    const { clientToken, zone } = wanted;
    const fingerprint = requestFingerprint(parameters.flat);
    if (clientToken !== null) {
      const verdict = judgeToken(cloud.tokenUse(clientToken, region, zone), fingerprint, (id) =>
        cloud.books.get('instance', id),
      );
      switch (verdict.kind) {
        case 'same':
          return reservationXml(request, verdict.instances);
        case 'mismatch':
          throw new Ec2Error(
            'IdempotentParameterMismatch',
            'Arguments on this idempotent request are inconsistent with arguments used in previous request(s).',
          );
        case 'terminated':
          throw new Ec2Error(
            'IdempotentInstanceTerminated',
            `The following instances launched with this client token have been terminated: ${verdict.instanceIds.join(', ')}`,
          );
        case 'new':
          break;
      }
    }
    const image = findLaunchableImage(cloud, region, wanted.imageId, now);
    const disks = readLaunchDisks(request, image);
    const pool = choosePool(request, wanted);
    refuseDryRun(parameters);
    const reservationId = newId('r');
    const drafts = Array.from({ length: wanted.max }, (_, launchIndex) =>
      newInstance({
        region,
        zone: pool.zone,
        instanceType: wanted.instanceType,
        imageId: wanted.imageId,
        option: wanted.option,
        reservationId,
        launchIndex,
        clientToken,
        userData: wanted.userData,
        keyName: wanted.keyName,
        tags: wanted.tags,
        metadataTags: wanted.metadataTags,
        instanceProfile: wanted.instanceProfile,
        now,
        runsAt: now + cloud.draw('boot'),
      }),
    );
    const key = clientToken === null ? null : tokenKey(clientToken, region, zone);
    const launched = cloud.launch(drafts, disks, key === null ? null : { key, fingerprint });
    return reservationXml(request, launched);
  },
};

function readLaunch(parameters: QueryParameters): LaunchRequest {
  if (parameters.has('LaunchTemplate')) {
    throw new Ec2Error(
      'UnsupportedOperation',
      'Launch templates are not simulated; give the parameters themselves.',
    );
  }
  const subnet = parameters.text('SubnetId');
  if (subnet !== null)
    throw new Ec2Error('InvalidSubnetID.NotFound', `The subnet ID '${subnet}' does not exist`);
  const min = parameters.integer('MinCount', { min: 1, max: MOST_AT_ONCE });
  const max = parameters.integer('MaxCount', { min: 1, max: MOST_AT_ONCE });
  if (min === null) throw missing('MinCount');
  if (max === null) throw missing('MaxCount');
  if (min > max) throw invalid(`Min count ( ${min} ) must not be greater than max count ( ${max} )`);
  const clientToken = parameters.text('ClientToken');
  if (clientToken !== null && (clientToken.length > LONGEST_TOKEN || !/^[\x20-\x7e]+$/.test(clientToken))) {
    throw invalid(
      `Invalid value '${clientToken}' for ClientToken. It takes up to ${LONGEST_TOKEN} ASCII characters`,
    );
  }
  return {
    imageId: parameters.required('ImageId'),
    instanceType: parameters.text('InstanceType') ?? 'm1.small',
    zone: parameters.group('Placement').text('AvailabilityZone'),
    min,
    max,
    ...readMarketOptions(parameters.group('InstanceMarketOptions')),
    clientToken,
    userData: readUserData(parameters),
    keyName: parameters.text('KeyName'),
    tags: readTagSpecifications(parameters, 'instance', [
      'volume',
      'network-interface',
      'spot-instances-request',
      'elastic-gpu',
    ]),
    metadataTags:
      parameters.group('MetadataOptions').choice('InstanceMetadataTags', ['enabled', 'disabled']) ===
      'enabled',
    instanceProfile: readInstanceProfile(parameters.group('IamInstanceProfile')),
  };
}

/** Its name, which the last part of its ARN is too. */
function readInstanceProfile(profile: QueryParameters): string | null {
  const [name, arn] = [profile.text('Name'), profile.text('Arn')];
  if (name !== null && arn !== null) {
    throw new Ec2Error(
      'InvalidParameterCombination',
      "The parameter 'iamInstanceProfile.name' may not be used in combination with 'iamInstanceProfile.arn'",
    );
  }
  const found = name ?? arn?.slice(arn.lastIndexOf('/') + 1) ?? null;
  if (found !== null && !/^[\w+=,.@-]{1,128}$/.test(found)) {
    throw invalid(
      `Value (${name ?? arn}) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name`,
    );
  }
  return found;
}

function readMarketOptions(options: QueryParameters): { option: PurchaseOption; maxPrice: number | null } {
  const market = options.choice('MarketType', ['spot']);
  if (market === null) {
    if (options.has('SpotOptions')) throw missing('InstanceMarketOptions.MarketType');
    return { option: 'ondemand', maxPrice: null };
  }
  const spot = options.group('SpotOptions');
  const kind = spot.choice('SpotInstanceType', ['one-time', 'persistent']) ?? 'one-time';
  if (kind === 'persistent') {
    throw new Ec2Error(
      'UnsupportedOperation',
      'Persistent spot requests are not simulated; ask for one-time.',
    );
  }
  const behavior =
    spot.choice('InstanceInterruptionBehavior', ['hibernate', 'stop', 'terminate']) ?? 'terminate';
  if (behavior !== 'terminate') {
    throw new Ec2Error(
      'InvalidParameterCombination',
      `The interruption behavior '${behavior}' is not supported for one-time spot requests.`,
    );
  }
  const price = spot.text('MaxPrice');
  const maxPrice = price === null ? null : Number(price);
  if (maxPrice !== null && !(maxPrice > 0)) throw invalid(`Invalid value '${price}' for MaxPrice`);
  return { option: 'spot', maxPrice };
}

function readUserData(parameters: QueryParameters): string | null {
  const userData = parameters.text('UserData');
  if (userData === null) return null;
  if (!/^[A-Za-z0-9+/\r\n]*={0,2}\s*$/.test(userData)) throw invalid('Invalid BASE64 encoding of user data.');
  if (Buffer.from(userData, 'base64').length > LONGEST_USER_DATA_BYTES) {
    throw invalid(`User data is limited to ${LONGEST_USER_DATA_BYTES} bytes`);
  }
  return userData;
}

/** The zone that was asked for, or the region's first with capacity. */
function choosePool({ cloud, region, now }: Ec2Request, wanted: LaunchRequest): PoolRecord {
  const { zone, instanceType, option, maxPrice } = wanted;
  if (!cloud.market.instanceTypes().includes(instanceType)) {
    throw invalid(`Invalid value '${instanceType}' for InstanceType.`);
  }
  if (zone !== null && !cloud.market.zones(region).includes(zone)) {
    throw invalid(`Invalid availability zone: [${zone}]`);
  }
  const offered = cloud.market.pools(region).filter((pool) => pool.instanceType === instanceType);
  const asked = offered.filter((pool) => zone === null || pool.zone === zone);
  if (asked.length === 0) {
    const others = offered.map((pool) => pool.zone).join(', ');
    throw new Ec2Error(
      'Unsupported',
      `Your requested instance type (${instanceType}) is not supported in your requested Availability Zone (${zone ?? region}).` +
        (others &&
          ` Please retry your request by not specifying an Availability Zone or choosing ${others}.`),
    );
  }
  const pool = asked.find((candidate) => cloud.isAvailable(candidate, option, now));
  if (!pool) {
    throw new Ec2Error(
      'InsufficientInstanceCapacity',
      option === 'spot'
        ? 'There is no Spot capacity available that matches your request.'
        : `We currently do not have sufficient ${instanceType} capacity in the Availability Zone you requested (${zone ?? region}).`,
    );
  }
  const price = cloud.market.spotPrice(pool, now);
  if (option === 'spot' && maxPrice !== null && maxPrice < price) {
    throw new Ec2Error(
      'SpotMaxPriceTooLow',
      `Your Spot request price of ${maxPrice} is lower than the minimum required Spot request fulfillment price of ${price}.`,
    );
  }
  return pool;
}

function reservationXml({ cloud }: Ec2Request, instances: readonly Instance[]): XmlElements {
  return {
    reservationId: instances[0]?.reservationId,
    ownerId: cloud.accountId,
    groupSet: [],
    instancesSet: instances.map((instance) => instanceXml(cloud, instance)),
  };
}
