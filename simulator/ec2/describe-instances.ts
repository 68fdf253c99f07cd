/**
 * DescribeInstances: eventually consistent (a launch, and a change, is seen a moment late), and in no order, though the
 * pages of one list fit together.
 */
import type { Instance } from '../books/entities';
import { Ec2Error } from './errors';
import { readFilters } from './filters';
import { instanceFilterValues, SAMPLE_INSTANCE } from './instance-filters';
import { findInstances } from './instance-lookup';
import type { Ec2Action } from './request';
import { readUnorderedPage, takeUnorderedPage } from './unordered-paging';
import { writtenInstance } from './written-instance';
import type { XmlElements } from './xml';

export const describeInstances: Ec2Action = {
  parameters: ['InstanceId', 'Filter', 'MaxResults', 'NextToken', 'DryRun', 'IncludeManagedResources'],
  run({ cloud, region, parameters }) {
    const ids = parameters.list('InstanceId');
    if (ids.length > 0 && parameters.has('MaxResults')) {
      throw new Ec2Error(
        'InvalidParameterCombination',
        'The parameter instancesSet cannot be used with the parameter maxResults',
      );
    }
    const page = readUnorderedPage(parameters, { min: 5, max: 1000, usual: 1000 });
    const matches = readFilters(
      parameters,
      (instance: Instance, filter) => instanceFilterValues(cloud, instance, filter),
      SAMPLE_INSTANCE,
    );
    const known =
      ids.length > 0
        ? findInstances(cloud, region, ids)
        : cloud.books.all('instance').filter((instance) => instance.region === region);
    const shown = known.flatMap((instance) => cloud.shown(instance) ?? []);
    const { items, nextToken } = takeUnorderedPage(shown.filter(matches), page);
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
        instancesSet: instances.map((instance) => writtenInstance(cloud, instance)),
      })),
      nextToken,
    };
  },
};
