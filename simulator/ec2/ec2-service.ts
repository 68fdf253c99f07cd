/** EC2 behind the port: the query protocol in, XML out. `actions.ts` lists what it does. */
import type { Cloud } from '../cloud';
import type { Caller } from '../services/callers';
import type { CallContext, CallerProblem, OpenCall, RawRequest, Service } from '../services/service';
import type { ServiceError } from '../services/service-error';
import { ACTIONS } from './actions';
import { Ec2Error, missing, statusOf } from './errors';
import { readForm } from './query-form';
import type { QueryParameters } from './query-parameters';
import { drawsOf } from './request-buckets';
import type { Ec2Action } from './request';
import { refuseDryRun } from './request';
import { unauthorized } from './unauthorized';
import { errorXml, responseXml } from './xml';

const API_VERSION = '2016-11-15';

export class Ec2Service implements Service {
  readonly name = 'ec2';
  readonly contentType = 'text/xml;charset=UTF-8';
  readonly statusOf = statusOf;
  readonly errorBody = (error: ServiceError, requestId: string) =>
    errorXml(error.code, error.message, requestId);

  constructor(private readonly cloud: Cloud) {}

  get regions(): readonly string[] {
    return this.cloud.market.regions();
  }

  open(request: RawRequest): OpenCall {
    const parameters = readForm(request);
    const action = parameters.text('Action') ?? '';
    return {
      action,
      parameters: parameters.flat,
      check: () => parameters.allowOnly(known(action, parameters).parameters),
      draws: () => drawsOf(action, parameters),
      perform: (context) => this.#perform(action, parameters, context),
    };
  }

  refuseCaller(problem: CallerProblem): ServiceError {
    const sentence = 'AWS was not able to validate the provided access credentials';
    switch (problem.kind) {
      case 'unsigned':
        return new Ec2Error(
          'MissingAuthenticationToken',
          'Request must contain either a valid (registered) AWS access key ID or X.509 certificate.',
        );
      case 'malformed':
      case 'wrong-service':
      case 'unknown-token':
        return new Ec2Error('AuthFailure', sentence);
      case 'wrong-region':
        return new Ec2Error(
          'AuthFailure',
          `${sentence}: they are scoped to ${problem.got}, and this cloud has ${this.regions.join(', ')}`,
        );
      case 'expired-token':
        return new Ec2Error('RequestExpired', 'Request has expired.');
    }
  }

  refuseRate(): ServiceError {
    return new Ec2Error('RequestLimitExceeded', 'Request limit exceeded.');
  }

  refuseAction(call: OpenCall, caller: Caller, verdict: 'lacking' | 'denied'): ServiceError {
    return unauthorized(call, caller, verdict);
  }

  refuseInternally(): ServiceError {
    return new Ec2Error('InternalError', 'An internal error has occurred');
  }

  async #perform(
    action: string,
    parameters: QueryParameters,
    { caller, requestId }: CallContext,
  ): Promise<string> {
    const { cloud } = this;
    const now = cloud.advance();
    const result = await known(action, parameters).run({ cloud, region: caller.region, parameters, now });
    // What changes something has ended at its own check, before the change; of the rest only the answer is left out.
    refuseDryRun(parameters);
    return responseXml(action, requestId, result);
  }
}

function known(action: string, parameters: QueryParameters): Ec2Action {
  if (action === '') throw missing('Action');
  const version = parameters.text('Version');
  const found = ACTIONS.get(action);
  if (found && (version === null || version === API_VERSION)) return found;
  throw new Ec2Error(
    'InvalidAction',
    `The action ${action} is not valid for this web service${version === null ? '' : ` in version ${version}`}.`,
  );
}
