import type { Instance } from '../books/entities';
import { isOver } from '../instances/lifecycle';
import { Ec2Error, invalid, missing } from './errors';
import { unsupported } from './capacity-errors';
import { findInstances } from './instance-lookup';
import { readUserData } from './launch-request';
import type { QueryParameters } from './query-parameters';
import { refuseDryRun } from './request';
import type { Ec2Action, Ec2Request } from './request';

type Attribute =
  | 'disableApiTermination'
  | 'disableApiStop'
  | 'instanceInitiatedShutdownBehavior'
  | 'userData'
  | 'instanceType';

const ATTRIBUTES: Readonly<Record<Attribute, string>> = {
  disableApiTermination: 'DisableApiTermination',
  disableApiStop: 'DisableApiStop',
  instanceInitiatedShutdownBehavior: 'InstanceInitiatedShutdownBehavior',
  userData: 'UserData',
  instanceType: 'InstanceType',
};

/** One attribute a call, named as `Attribute` and `Value` or by itself. */
export const modifyInstanceAttribute: Ec2Action = {
  parameters: ['InstanceId', 'Attribute', 'Value', ...Object.values(ATTRIBUTES), 'DryRun'],
  run(request) {
    const { cloud, region, parameters, now } = request;
    const [instance] = findInstances(cloud, region, [parameters.required('InstanceId')]);
    const { attribute, values, name } = readChange(parameters);
    if (!instance) throw missing('InstanceId');
    const change = changeOf(request, instance, attribute, values, name);
    refuseDryRun(parameters);
    // What is written is what the books have now: a lookup never waits.
    cloud.books.commit(now, [['instance', instance.id, { ...instance, ...change }]]);
    return { return: true };
  },
};

/** The attribute, and where its value stands. */
function readChange(parameters: QueryParameters): {
  attribute: Attribute;
  values: QueryParameters;
  name: string;
} {
  const named = parameters.choice('Attribute', Object.keys(ATTRIBUTES) as Attribute[]);
  const given = (Object.keys(ATTRIBUTES) as Attribute[]).filter((one) => parameters.has(ATTRIBUTES[one]));
  if (given.length + (named === null ? 0 : 1) > 1) {
    throw new Ec2Error('InvalidParameterCombination', 'Fields for multiple attribute types specified');
  }
  if (named !== null) return { attribute: named, values: parameters, name: 'Value' };
  const [attribute] = given;
  if (attribute === undefined) {
    throw new Ec2Error('InvalidParameterCombination', 'No attributes specified.');
  }
  const group = ATTRIBUTES[attribute];
  return parameters.text(group) === null
    ? { attribute, values: parameters.group(group), name: 'Value' }
    : { attribute, values: parameters, name: group };
}

function changeOf(
  { cloud, region }: Ec2Request,
  instance: Instance,
  attribute: Attribute,
  values: QueryParameters,
  name: string,
): Partial<Instance> {
  if (isOver(instance)) throw wrongState(instance.id, "'running' or 'stopped'");
  switch (attribute) {
    case 'disableApiTermination':
      if (instance.option === 'spot') throw notForSpot(attribute);
      return { disableApiTermination: required(values.boolean(name), attribute) };
    case 'disableApiStop':
      return { disableApiStop: required(values.boolean(name), attribute) };
    case 'instanceInitiatedShutdownBehavior':
      return {
        shutdownBehavior: required(
          values.choice<'stop' | 'terminate'>(name, ['stop', 'terminate']),
          attribute,
        ),
      };
    case 'userData':
      if (instance.state !== 'stopped') throw wrongState(instance.id, "'stopped'");
      return { userData: readUserData(values.text(name)) };
    case 'instanceType': {
      if (instance.state !== 'stopped') throw wrongState(instance.id, "'stopped'");
      if (instance.option === 'spot') throw notForSpot(attribute);
      const instanceType = required(values.text(name), attribute);
      if (!cloud.market.instanceTypes().includes(instanceType))
        throw invalid(`Invalid value '${instanceType}' for InstanceType.`);
      if (!cloud.market.pool(instance.zone, instanceType))
        throw unsupported(cloud, region, instanceType, instance.zone);
      return { instanceType };
    }
  }
}

function required<T>(value: T | null, attribute: Attribute): T {
  if (value === null) throw missing(ATTRIBUTES[attribute]);
  return value;
}

function notForSpot(attribute: Attribute): Ec2Error {
  return new Ec2Error(
    'UnsupportedOperation',
    `Modifying '${attribute}' is not supported for spot instances.`,
  );
}

function wrongState(id: string, states: string): Ec2Error {
  return new Ec2Error('IncorrectInstanceState', `The instance '${id}' is not in the ${states} state.`);
}
