/**
 * The AWS price list behind the port, in JSON 1.1. Its own endpoints are in few regions, so a signature may be scoped
 * to any.
 */
import type { Market } from '../market/market';
import type { Caller } from '../services/callers';
import type { CallerProblem, OpenCall, RawRequest, Service } from '../services/service';
import type { ServiceError } from '../services/service-error';
import { PricingError, pricingStatusOf } from './errors';
import { flatten, readInput } from './json-input';
import type { JsonInput } from './json-input';
import { describeServices, getAttributeValues, getProducts } from './price-list';
import { makeProducts } from './products';
import type { Product } from './products';

type PricingAction = (input: JsonInput, products: readonly Product[]) => object;

const TARGET = 'AWSPriceListService.';
const ACTIONS: ReadonlyMap<string, PricingAction> = new Map([
  ['DescribeServices', describeServices],
  ['GetAttributeValues', getAttributeValues],
  ['GetProducts', getProducts],
]);

export class PricingService implements Service {
  readonly name = 'pricing';
  readonly contentType = 'application/x-amz-json-1.1';
  readonly regions = null;
  readonly statusOf = pricingStatusOf;
  /** Made when first asked for: on-demand prices don't change. */
  #products: readonly Product[] | null = null;

  constructor(private readonly market: Market) {}

  open({ headers, method, body }: RawRequest): OpenCall {
    const target = headers['x-amz-target'];
    if (method !== 'POST') throw new PricingError('UnknownOperationException', '');
    const action = typeof target === 'string' ? target.slice(target.lastIndexOf('.') + 1) : '';
    const perform = target === TARGET + action ? ACTIONS.get(action) : undefined;
    const input = readInput(body);
    return {
      action,
      parameters: flatten(input),
      check: () => {
        if (!perform) throw new PricingError('UnknownOperationException', '');
      },
      draws: () => [{ kind: 'request', tokens: 1, documented: null }],
      perform: () => {
        this.#products ??= makeProducts(this.market);
        return JSON.stringify(perform?.(input, this.#products));
      },
    };
  }

  refuseCaller(problem: CallerProblem): ServiceError {
    switch (problem.kind) {
      case 'unsigned':
        return new PricingError('MissingAuthenticationTokenException', 'Missing Authentication Token');
      case 'malformed':
        return new PricingError(
          'IncompleteSignatureException',
          "Authorization header requires 'Credential' parameter with a scope of four parts after the access key.",
        );
      case 'wrong-service':
      case 'wrong-region':
        return new PricingError(
          'InvalidSignatureException',
          `Credential should be scoped to correct service: 'pricing'.`,
        );
      case 'unknown-token':
        return new PricingError(
          'UnrecognizedClientException',
          'The security token included in the request is invalid.',
        );
      case 'expired-token':
        return new PricingError(
          'ExpiredTokenException',
          'The security token included in the request is expired',
        );
    }
  }

  refuseRate(): ServiceError {
    return new PricingError('ThrottlingException', 'Rate exceeded');
  }

  refuseAction({ action }: OpenCall, { arn }: Caller, verdict: 'lacking' | 'denied'): ServiceError {
    const why =
      verdict === 'denied'
        ? 'with an explicit deny in an identity-based policy'
        : `because no identity-based policy allows the pricing:${action} action`;
    return new PricingError(
      'AccessDeniedException',
      `User: ${arn} is not authorized to perform: pricing:${action} ${why}`,
    );
  }

  refuseInternally(): ServiceError {
    return new PricingError('InternalErrorException', 'An internal error has occurred');
  }

  errorBody({ code, message }: ServiceError): string {
    return JSON.stringify({ __type: code, ...(message && { Message: message, message }) });
  }
}
