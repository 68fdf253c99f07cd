/** `InstanceMarketOptions` and `HibernationOptions`: how an instance is bought, and what an interruption does to it. */
import type { InterruptionBehavior, PurchaseOption, SpotRequest } from '../books/entities';
import { Ec2Error, invalid, missing } from './errors';
import type { QueryParameters } from './query-parameters';

export interface MarketOptions {
  readonly option: PurchaseOption;
  readonly type: SpotRequest['type'];
  /** Text, US dollars an hour. */
  readonly maxPrice: string | null;
  readonly validUntil: Date | null;
  readonly interruptionBehavior: InterruptionBehavior;
  readonly hibernation: boolean;
}

const LEAST_PRICE = 0.001;

export const ON_DEMAND: Omit<MarketOptions, 'hibernation'> = {
  option: 'ondemand',
  type: 'one-time',
  maxPrice: null,
  validUntil: null,
  interruptionBehavior: 'terminate',
};

/**
 * A launch for hibernation is hibernated at an interruption, at once and without two minutes, and only a persistent
 * request takes an instance that isn't terminated, as EC2's API reference says of SpotMarketOptions.
 * @throws Ec2Error for what doesn't go together.
 */
export function readMarketOptions(parameters: QueryParameters): MarketOptions {
  const hibernation = parameters.group('HibernationOptions').boolean('Configured') ?? false;
  const options = parameters.group('InstanceMarketOptions');
  const market = options.choice('MarketType', ['spot']);
  if (market === null) {
    if (options.has('SpotOptions')) throw missing('InstanceMarketOptions.MarketType');
    return { ...ON_DEMAND, hibernation };
  }
  const spot = options.group('SpotOptions');
  const type = spot.choice('SpotInstanceType', ['one-time', 'persistent']) ?? 'one-time';
  const asked = spot.choice('InstanceInterruptionBehavior', ['hibernate', 'stop', 'terminate']);
  const interruptionBehavior = asked ?? (hibernation ? 'hibernate' : 'terminate');
  if (hibernation && interruptionBehavior !== 'hibernate') {
    throw combination(
      `The InstanceInterruptionBehavior '${interruptionBehavior}' is not supported when HibernationOptions.Configured is true.`,
    );
  }
  if ((type === 'persistent') === (interruptionBehavior === 'terminate')) {
    throw combination(
      `The request with type '${type}' is not supported when instanceInterruptionBehavior is set to '${interruptionBehavior}'.`,
    );
  }
  const validUntil = spot.moment('ValidUntil');
  if (validUntil !== null && type === 'one-time')
    throw combination('ValidUntil is supported only for persistent Spot requests.');
  if (spot.has('BlockDurationMinutes'))
    throw new Ec2Error('UnsupportedOperation', 'Spot Instances with a defined duration are not supported.');
  return {
    option: 'spot',
    ...{ type, validUntil, interruptionBehavior, hibernation },
    maxPrice: readMaxPrice(spot.text('MaxPrice')),
  };
}

/** @throws Ec2Error for what isn't a price. */
export function readMaxPrice(price: string | null): string | null {
  if (price === null) return null;
  if (!/^\d{1,9}(\.\d{1,9})?$/.test(price) || Number(price) < LEAST_PRICE) {
    throw invalid(`Invalid value '${price}' for MaxPrice. It must be at least ${LEAST_PRICE}`);
  }
  return price;
}

function combination(message: string): Ec2Error {
  return new Ec2Error('InvalidParameterCombination', message);
}
