/** What CreateFleet asks for: how much of each purchase option, and the pools it may be found in, in the order of trying. */
import type { PurchaseOption } from '../books/entities';
import { Ec2Error, invalid, missing } from './errors';
import { chooseVersion, mergeTemplate, templateTags } from './launch-template-data';
import type { ChosenVersion } from './launch-template-data';
import { readMaxPrice } from './market-options';
import { QueryParameters } from './query-parameters';
import type { Ec2Request } from './request';

export interface FleetRequest {
  readonly parts: readonly FleetPart[];
  readonly candidates: readonly Candidate[];
}

/** The fleet's spot, or on-demand, part. */
export interface FleetPart {
  readonly option: PurchaseOption;
  readonly target: number;
  readonly least: number;
  readonly strategy: string;
  readonly single: { readonly instanceType: boolean; readonly zone: boolean };
}

/** A template's version with one of the request's overrides. */
export interface Candidate {
  readonly chosen: ChosenVersion;
  readonly override: Readonly<Record<string, string>>;
  /** As RunInstances would have them, but for how it is bought. */
  readonly parameters: QueryParameters;
  readonly systemTags: Readonly<Record<string, string>>;
  readonly maxPrice: string | null;
  readonly priority: number;
  readonly weight: number;
}

const MOST_CANDIDATES = 300;
const MOST_CAPACITY = 1000;
const SPOT_STRATEGIES = [
  ...(['lowest-price', 'diversified', 'capacity-optimized', 'capacity-optimized-prioritized'] as const),
  'price-capacity-optimized' as const,
];

/** @throws Ec2Error for what isn't a fleet of type `instant`. */
export function readFleet(request: Ec2Request): FleetRequest {
  const { parameters } = request;
  const type = parameters.choice('Type', ['instant', 'maintain', 'request']) ?? 'maintain';
  if (type !== 'instant')
    throw new Ec2Error(
      'UnsupportedOperation',
      `Fleets of type '${type}' are not simulated; ask for instant.`,
    );
  const candidates = parameters
    .groups('LaunchTemplateConfigs')
    .flatMap((config) => readConfig(request, config));
  if (candidates.length === 0) throw missing('LaunchTemplateConfigs');
  if (candidates.length > MOST_CANDIDATES)
    throw invalid(`The fleet has ${candidates.length} overrides; the maximum is ${MOST_CANDIDATES}`);
  return { parts: readParts(parameters), candidates };
}

function readConfig({ cloud, region, parameters }: Ec2Request, config: QueryParameters): Candidate[] {
  const chosen = chooseVersion(cloud, region, config.group('LaunchTemplateSpecification'));
  const overrides = config.groups('Overrides');
  const tags = Object.fromEntries(
    Object.entries(parameters.entries()).filter(([name]) => isTagOfInstances(parameters, name)),
  );
  const plain = new QueryParameters(new Map());
  return (overrides.length > 0 ? overrides : [plain]).map((override): Candidate => {
    const given: Record<string, string> = { ...tags };
    for (const [name, to] of PASSED_ON) {
      const value = override.text(name);
      if (value !== null) given[to] = value;
    }
    return {
      chosen,
      override: Object.fromEntries(
        SHOWN.flatMap((name) => {
          const value = override.text(name);
          return value === null ? [] : [[name, value]];
        }),
      ),
      parameters: mergeTemplate(chosen.version, given),
      systemTags: templateTags(chosen),
      maxPrice: readMaxPrice(override.text('MaxPrice')),
      priority: readNumber(override, 'Priority', Infinity),
      weight: readNumber(override, 'WeightedCapacity', 1),
    };
  });
}

const PASSED_ON = [
  ['InstanceType', 'InstanceType'],
  ['AvailabilityZone', 'Placement.AvailabilityZone'],
  ['AvailabilityZoneId', 'Placement.AvailabilityZoneId'],
  ['SubnetId', 'SubnetId'],
  ['ImageId', 'ImageId'],
  ['KeyName', 'KeyName'],
] as const;
const SHOWN = [
  ...['InstanceType', 'MaxPrice', 'SubnetId', 'AvailabilityZone', 'AvailabilityZoneId', 'WeightedCapacity'],
  ...['Priority', 'ImageId'],
];

function isTagOfInstances(parameters: QueryParameters, name: string): boolean {
  const [first, index] = name.split('.');
  return first === 'TagSpecification' && parameters.text(`${first}.${index}.ResourceType`) !== 'fleet';
}

function readParts(parameters: QueryParameters): FleetPart[] {
  const group = parameters.group('TargetCapacitySpecification');
  const bounds = { min: 0, max: MOST_CAPACITY };
  const total = group.integer('TotalTargetCapacity', bounds);
  if (total === null) throw missing('TargetCapacitySpecification.TotalTargetCapacity');
  const usual = group.choice('DefaultTargetCapacityType', ['spot', 'on-demand']) ?? 'on-demand';
  const spot = group.integer('SpotTargetCapacity', bounds);
  const onDemand = group.integer('OnDemandTargetCapacity', bounds);
  if ((spot ?? 0) + (onDemand ?? 0) > total)
    throw invalid('The total target capacity is less than the sum of its spot and on-demand parts');
  const rest = total - (spot ?? 0) - (onDemand ?? 0);
  const targets = {
    ondemand: (onDemand ?? 0) + (usual === 'on-demand' ? rest : 0),
    spot: (spot ?? 0) + (usual === 'spot' ? rest : 0),
  };
  const spotOptions = parameters.group('SpotOptions');
  const behavior = spotOptions.choice('InstanceInterruptionBehavior', ['hibernate', 'stop', 'terminate']);
  if (behavior !== null && behavior !== 'terminate') {
    throw new Ec2Error(
      'InvalidParameterCombination',
      `The interruption behavior '${behavior}' is supported only for fleets of type maintain.`,
    );
  }
  return [
    readPart('ondemand', targets.ondemand, parameters.group('OnDemandOptions'), [
      'lowest-price',
      'prioritized',
    ]),
    readPart('spot', targets.spot, spotOptions, SPOT_STRATEGIES),
  ];
}

function readPart(
  option: PurchaseOption,
  target: number,
  options: QueryParameters,
  strategies: readonly string[],
): FleetPart {
  const single = {
    instanceType: options.boolean('SingleInstanceType') ?? false,
    zone: options.boolean('SingleAvailabilityZone') ?? false,
  };
  const least = options.integer('MinTargetCapacity', { min: 0, max: MOST_CAPACITY }) ?? 0;
  if (least > target) throw invalid('MinTargetCapacity must not be greater than the target capacity');
  if (least > 0 && !single.instanceType && !single.zone) {
    throw new Ec2Error(
      'InvalidParameterCombination',
      'MinTargetCapacity takes at least one of SingleInstanceType and SingleAvailabilityZone.',
    );
  }
  return {
    ...{ option, target, least, single },
    strategy: options.choice('AllocationStrategy', strategies) ?? 'lowest-price',
  };
}

function readNumber(parameters: QueryParameters, name: string, usual: number): number {
  const text = parameters.text(name);
  if (text === null) return usual;
  const number = Number(text);
  if (!/^\d{1,6}(\.\d{1,6})?$/.test(text) || (name === 'WeightedCapacity' && number <= 0))
    throw invalid(`Invalid value '${text}' for ${name}`);
  return number;
}
