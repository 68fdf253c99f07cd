import type { Instance } from '../books/entities';
import { Ec2Error } from './errors';
import { readFilters, tagFilterValues } from './filters';
import { findInstances } from './instance-lookup';
import { instanceXml, stateCode } from './instance-xml';
import { readPage, takePage } from './paging';
import type { Ec2Action } from './request';
import { newInstance } from './new-instance';
import type { XmlElements } from './xml';

export const describeInstances: Ec2Action = {
  parameters: ['InstanceId', 'Filter', 'MaxResults', 'NextToken', 'DryRun', 'IncludeManagedResources'],
  run({ cloud, region, parameters, now }) {
    const ids = parameters.list('InstanceId');
    if (ids.length > 0 && parameters.has('MaxResults')) {
      throw new Ec2Error(
        'InvalidParameterCombination',
        'The parameter instancesSet cannot be used with the parameter maxResults',
      );
    }
    const page = readPage(parameters, { min: 5, max: 1000, usual: 1000 });
    const matches = readFilters(parameters, filterValues, SAMPLE);
    const known =
      ids.length > 0
        ? findInstances(cloud, region, ids)
        : cloud.books.all('instance').filter((instance) => instance.region === region);
    // Pages are cut from the order of launches, so that an instance that ends between two pages moves no other.
    const { items, nextToken } = takePage(known.filter(matches), page, now);
    const reservations = new Map<string, Instance[]>();
    for (const instance of items) {
      const reservation = reservations.get(instance.reservationId);
      if (reservation) reservation.push(instance);
      else reservations.set(instance.reservationId, [instance]);
    }
    return {
      reservationSet: [...reservations].map(([reservationId, instances]): XmlElements => ({
        reservationId,
        ownerId: cloud.accountId,
        groupSet: [],
        instancesSet: instances.map((instance) => instanceXml(cloud, instance)),
      })),
      nextToken,
    };
  },
};

function filterValues(instance: Instance, filter: string): readonly string[] | null {
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
      return [instance.zone];
    case 'image-id':
      return [instance.imageId];
    case 'instance-lifecycle':
      return instance.option === 'spot' ? ['spot'] : [];
    case 'client-token':
      return instance.clientToken === null ? [] : [instance.clientToken];
    case 'reservation-id':
      return [instance.reservationId];
    case 'spot-instance-request-id':
      return instance.spotRequestId === null ? [] : [instance.spotRequestId];
    case 'private-ip-address':
      return [instance.privateIp];
    default:
      return tagFilterValues(instance.tags, filter);
  }
}

const SAMPLE = newInstance({
  region: 'x',
  zone: 'x',
  instanceType: 'x',
  imageId: 'x',
  option: 'spot',
  now: 0,
  runsAt: 0,
});
