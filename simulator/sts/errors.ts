/** STS's refusals, with the HTTP status that each code comes with. */
import { ServiceError } from '../services/service-error';

const STATUS: Readonly<Record<string, number>> = {
  AccessDenied: 403,
  ExpiredToken: 403,
  InvalidClientTokenId: 403,
  MissingAuthenticationToken: 403,
  OptInRequired: 403,
  RegionDisabledException: 403,
  SignatureDoesNotMatch: 403,
  InternalFailure: 500,
  InternalError: 500,
  ServiceUnavailable: 503,
  Unavailable: 503,
};

export function stsStatusOf(code: string): number {
  return STATUS[code] ?? 400;
}

export class StsError extends ServiceError {
  override name = 'StsError';
  constructor(code: string, message: string) {
    super(code, message, stsStatusOf(code));
  }
}
