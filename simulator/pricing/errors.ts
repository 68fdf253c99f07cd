/** The price list service's refusals, with the HTTP status that each comes with. */
import { ServiceError } from '../services/service-error';

export function pricingStatusOf(code: string): number {
  switch (code) {
    case 'InternalErrorException':
    case 'InternalError':
    case 'InternalFailure':
      return 500;
    case 'ServiceUnavailableException':
    case 'ServiceUnavailable':
    case 'Unavailable':
      return 503;
    default:
      return 400;
  }
}

export class PricingError extends ServiceError {
  override name = 'PricingError';
  constructor(code: string, message: string) {
    super(code, message, pricingStatusOf(code));
  }
}
