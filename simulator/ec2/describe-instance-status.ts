import type { Instance } from '../books/entities';
import type { Cloud } from '../cloud';
import { zoneId } from './describe-availability-zones';
import { Ec2Error } from './errors';
import { readFilters } from './filters';
import { instanceFilterValues, SAMPLE_INSTANCE } from './instance-filters';
import { findInstances } from './instance-lookup';
import { stateXml } from './instance-xml';
import type { Ec2Action } from './request';
import { readUnorderedPage, takeUnorderedPage } from './unordered-paging';
import type { XmlElements } from './xml';

/** Of running instances unless all are asked for. Checks pass as soon as an instance runs; no events are scheduled. */
export const describeInstanceStatus: Ec2Action = {
  parameters: ['InstanceId', 'Filter', 'IncludeAllInstances', 'MaxResults', 'NextToken', 'DryRun'],
  run({ cloud, region, parameters }) {
    const ids = parameters.list('InstanceId');
    if (ids.length > 0 && parameters.has('MaxResults')) {
      throw new Ec2Error(
        'InvalidParameterCombination',
        'The parameter instancesSet cannot be used with the parameter maxResults',
      );
    }
    const all = parameters.boolean('IncludeAllInstances') ?? false;
    const page = readUnorderedPage(parameters, { min: 5, max: 1000, usual: 1000 });
    const matches = readFilters(
      parameters,
      (instance: Instance, filter) => filterValues(cloud, instance, filter),
      SAMPLE_INSTANCE,
    );
    const known =
      ids.length > 0
        ? findInstances(cloud, region, ids)
        : cloud.books.all('instance').filter((instance) => instance.region === region);
    const shown = known
      .flatMap((instance) => cloud.shown(instance) ?? [])
      .filter(({ state }) => all || state === 'running');
    const { items, nextToken } = takeUnorderedPage(shown.filter(matches), page);
    return { instanceStatusSet: items.map(statusXml), nextToken };
  },
};

function statusOf({ state }: Instance): 'initializing' | 'ok' | 'not-applicable' {
  if (state === 'pending') return 'initializing';
  return state === 'running' ? 'ok' : 'not-applicable';
}

function statusXml(instance: Instance): XmlElements {
  const status = statusOf(instance);
  const summary = {
    status,
    details: [{ name: 'reachability', status: status === 'ok' ? 'passed' : status }],
  };
  return {
    instanceId: instance.id,
    availabilityZone: instance.zone,
    availabilityZoneId: zoneId(instance.zone, instance.region),
    instanceState: stateXml(instance.state),
    systemStatus: summary,
    instanceStatus: summary,
  };
}

function filterValues(cloud: Cloud, instance: Instance, filter: string): readonly string[] | null {
  switch (filter) {
    case 'availability-zone':
    case 'availability-zone-id':
    case 'instance-state-code':
    case 'instance-state-name':
      return instanceFilterValues(cloud, instance, filter);
    case 'instance-status.status':
    case 'system-status.status':
      return [statusOf(instance)];
    case 'instance-status.reachability':
    case 'system-status.reachability':
      return [statusOf(instance) === 'ok' ? 'passed' : statusOf(instance)];
    case 'event.code':
    case 'event.description':
      return [];
    default:
      return null;
  }
}
