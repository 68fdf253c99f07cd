/** EC2's refusals: a code that programs read, a sentence, and the HTTP status that EC2 sends with it. */
import { ServiceError } from '../services/service-error';

export class Ec2Error extends ServiceError {
  override name = 'Ec2Error';
  constructor(code: string, message: string, status = statusOf(code)) {
    super(code, message, status);
  }
}

const STATUS: Readonly<Record<string, number>> = {
  AuthFailure: 401,
  MissingAuthenticationToken: 403,
  UnauthorizedOperation: 403,
  OptInRequired: 403,
  DryRunOperation: 412,
  RequestEntityTooLarge: 413,
  InternalError: 500,
  InternalFailure: 500,
  InsufficientAddressCapacity: 500,
  InsufficientCapacity: 500,
  InsufficientHostCapacity: 500,
  InsufficientInstanceCapacity: 500,
  UnfulfillableCapacity: 500,
  RequestLimitExceeded: 503,
  ServiceUnavailable: 503,
  Unavailable: 503,
};

export function statusOf(code: string): number {
  return STATUS[code] ?? 400;
}

export function missing(parameter: string): Ec2Error {
  return new Ec2Error('MissingParameter', `The request must contain the parameter ${parameter}`);
}

export function invalid(message: string): Ec2Error {
  return new Ec2Error('InvalidParameterValue', message);
}

/** `InvalidInstanceID.NotFound` and its kin, with the ids that are not there. */
export function notFound(code: string, noun: string, ids: readonly string[]): Ec2Error {
  const message =
    ids.length === 1
      ? `The ${noun} ID '${ids[0]}' does not exist`
      : `The ${noun} IDs '${ids.join(', ')}' do not exist`;
  return new Ec2Error(code, message);
}
