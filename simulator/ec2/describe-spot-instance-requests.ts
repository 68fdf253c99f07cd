import type { SpotRequest } from '../books/entities';
import type { Cloud } from '../cloud';
import { newInstance } from '../instances/new-instance';
import { subnetOf } from '../instances/network';
import { zoneId } from './describe-availability-zones';
import { Ec2Error } from './errors';
import { readFilters, tagFilterValues } from './filters';
import { defaultGroup, profileArn, wholeSecond } from './instance-xml';
import type { Ec2Action } from './request';
import { findSpotRequests } from './spot-request-lookup';
import { tagSet } from './tags';
import { readUnorderedPage, takeUnorderedPage } from './unordered-paging';
import type { XmlElements } from './xml';

const PRODUCT = 'Linux/UNIX';

/** A status shows an interruption before its instance does. */
export const describeSpotInstanceRequests: Ec2Action = {
  parameters: ['SpotInstanceRequestId', 'Filter', 'MaxResults', 'NextToken', 'DryRun'],
  run({ cloud, region, parameters }) {
    const ids = parameters.list('SpotInstanceRequestId');
    if (ids.length > 0 && parameters.has('MaxResults')) {
      throw new Ec2Error(
        'InvalidParameterCombination',
        'The parameter SpotInstanceRequestIds cannot be used with the parameter MaxResults',
      );
    }
    const page = readUnorderedPage(parameters, { min: 5, max: 1000, usual: 1000 });
    const matches = readFilters(
      parameters,
      (request: SpotRequest, filter) => filterValues(cloud, request, filter),
      SAMPLE,
    );
    const known =
      ids.length > 0
        ? findSpotRequests(cloud, region, ids)
        : cloud.books.all('spotRequest').filter((request) => request.region === region);
    const { items, nextToken } = takeUnorderedPage(known.filter(matches), page);
    return { spotInstanceRequestSet: items.map((request) => requestXml(cloud, request)), nextToken };
  },
};

/** What EC2 shows for a request without a maximum: the on-demand price. */
function priceOf(cloud: Cloud, { maxPrice, template }: SpotRequest): string {
  const onDemand = cloud.market.pool(template.zone, template.instanceType)?.onDemandPrice ?? 0;
  return Number(maxPrice ?? onDemand).toFixed(6);
}

function requestXml(cloud: Cloud, request: SpotRequest): XmlElements {
  const { template, status, disks } = request;
  const { region, zone } = template;
  const { clock } = cloud;
  return {
    spotInstanceRequestId: request.id,
    spotPrice: priceOf(cloud, request),
    type: request.type,
    state: request.state,
    status: {
      code: status.code,
      message: status.message,
      updateTime: wholeSecond(clock.wallAt(status.at)),
    },
    instanceId: request.instanceId,
    launchSpecification: {
      imageId: template.imageId,
      instanceType: template.instanceType,
      keyName: template.keyName,
      placement: { availabilityZone: zone },
      subnetId: subnetOf(zone),
      groupSet: [defaultGroup(region)],
      iamInstanceProfile: template.instanceProfile && {
        arn: profileArn(cloud, template.instanceProfile),
        name: template.instanceProfile,
      },
      blockDeviceMapping: disks.map((disk) => ({
        deviceName: disk.device,
        ebs: {
          snapshotId: disk.snapshotId,
          volumeSize: disk.sizeGib,
          volumeType: disk.type,
          deleteOnTermination: disk.deleteOnTermination,
          encrypted: disk.encrypted,
        },
      })),
      monitoring: { enabled: false },
    },
    launchedAvailabilityZone: request.instanceId === null ? null : zone,
    launchedAvailabilityZoneId: request.instanceId === null ? null : zoneId(zone, region),
    productDescription: PRODUCT,
    createTime: wholeSecond(clock.wallAt(request.createdAt)),
    validUntil: request.validUntil === null ? null : wholeSecond(clock.wallAt(request.validUntil)),
    instanceInterruptionBehavior: request.interruptionBehavior,
    tagSet: tagSet(request.tags),
  };
}

function filterValues(cloud: Cloud, request: SpotRequest, filter: string): readonly string[] | null {
  const { template, instanceId } = request;
  const moment = (at: number) => wholeSecond(cloud.clock.wallAt(at)).toISOString();
  switch (filter) {
    case 'spot-instance-request-id':
      return [request.id];
    case 'instance-id':
      return instanceId === null ? [] : [instanceId];
    case 'state':
      return [request.state];
    case 'status-code':
      return [request.status.code];
    case 'status-message':
      return [request.status.message];
    case 'type':
      return [request.type];
    case 'spot-price':
      return [priceOf(cloud, request)];
    case 'create-time':
      return [moment(request.createdAt)];
    case 'valid-until':
      return request.validUntil === null ? [] : [moment(request.validUntil)];
    case 'launched-availability-zone':
      return instanceId === null ? [] : [template.zone];
    case 'launched-availability-zone-id':
      return instanceId === null ? [] : [zoneId(template.zone, template.region)];
    case 'launch.image-id':
      return [template.imageId];
    case 'launch.instance-type':
      return [template.instanceType];
    case 'launch.key-name':
      return template.keyName === null ? [] : [template.keyName];
    case 'product-description':
      return [PRODUCT];
    default:
      return tagFilterValues(request.tags, filter);
  }
}

const SAMPLE: SpotRequest = {
  ...{ id: '', region: 'xx-xx-1', type: 'one-time', interruptionBehavior: 'terminate', maxPrice: null },
  ...{ createdAt: 0, validUntil: null, state: 'open', status: { code: '', message: '', at: 0 } },
  ...{ instanceId: null, tags: {}, disks: [], volumeTags: {} },
  template: newInstance({
    region: 'xx-xx-1',
    zone: 'xx-xx-1a',
    instanceType: 'm5.large',
    imageId: 'ami-1',
    option: 'spot',
    now: 0,
    runsAt: 0,
  }),
};
