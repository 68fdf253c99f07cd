/** STS behind the port: AssumeRole and GetCallerIdentity, in the query protocol. */
import type { Cloud } from '../cloud';
import { readForm } from '../ec2/query-form';
import type { QueryParameters } from '../ec2/query-parameters';
import { elements, HEAD } from '../ec2/xml';
import type { XmlElements } from '../ec2/xml';
import type { Caller } from '../services/callers';
import type { CallContext, CallerProblem, OpenCall, RawRequest, Service } from '../services/service';
import type { ServiceError } from '../services/service-error';
import { assumeRole, roleAccessDenied } from './assume-role';
import { StsError, stsStatusOf } from './errors';
import { getCallerIdentity } from './get-caller-identity';
import type { SessionCredentials } from './session-credentials';

const API_VERSION = '2011-06-15';
const NAMESPACE = `https://sts.amazonaws.com/doc/${API_VERSION}/`;
/** Its global endpoint signs for this region. */
const GLOBAL_REGION = 'us-east-1';

export interface StsRequest {
  readonly cloud: Cloud;
  readonly sessions: SessionCredentials;
  readonly caller: Caller;
  readonly parameters: QueryParameters;
}
export type StsAction = (request: StsRequest) => XmlElements;

const ACTIONS: ReadonlyMap<string, StsAction> = new Map([
  ['AssumeRole', assumeRole],
  ['GetCallerIdentity', getCallerIdentity],
]);

export class StsService implements Service {
  readonly name = 'sts';
  readonly contentType = 'text/xml';
  readonly statusOf = stsStatusOf;

  constructor(
    private readonly cloud: Cloud,
    private readonly sessions: SessionCredentials,
  ) {}

  get regions(): readonly string[] {
    return [...this.cloud.market.regions(), GLOBAL_REGION];
  }

  open(request: RawRequest): OpenCall {
    const parameters = readForm(request);
    const action = parameters.text('Action') ?? '';
    return {
      action,
      parameters: parameters.flat,
      check: () => void known(action, parameters),
      draws: () => [{ kind: 'request', tokens: 1, documented: null }],
      perform: (context) => this.#perform(action, parameters, context),
    };
  }

  refuseCaller(problem: CallerProblem): ServiceError {
    switch (problem.kind) {
      case 'unsigned':
        return new StsError('MissingAuthenticationToken', 'Request is missing Authentication Token');
      case 'malformed':
        return new StsError(
          'IncompleteSignature',
          "Authorization header requires 'Credential' parameter with a scope of four parts after the access key.",
        );
      case 'wrong-service':
        return new StsError(
          'SignatureDoesNotMatch',
          `Credential should be scoped to correct service: 'sts'.`,
        );
      case 'wrong-region':
        return new StsError('SignatureDoesNotMatch', 'Credential should be scoped to a valid region.');
      case 'unknown-token':
        return new StsError('InvalidClientTokenId', 'The security token included in the request is invalid.');
      case 'expired-token':
        return new StsError('ExpiredToken', 'The security token included in the request is expired');
    }
  }

  refuseRate(): ServiceError {
    return new StsError('Throttling', 'Rate exceeded');
  }

  refuseAction(call: OpenCall, caller: Caller): ServiceError {
    return roleAccessDenied(caller, call.parameters.get('RoleArn') ?? '');
  }

  refuseInternally(): ServiceError {
    return new StsError('InternalFailure', 'An internal error has occurred');
  }

  errorBody({ code, message, status }: ServiceError, requestId: string): string {
    const error = { Type: status < 500 ? 'Sender' : 'Receiver', Code: code, Message: message };
    return document('ErrorResponse', { Error: error, RequestId: requestId });
  }

  #perform(action: string, parameters: QueryParameters, { caller, requestId }: CallContext): string {
    const { cloud, sessions } = this;
    cloud.advance();
    const result = known(action, parameters)({ cloud, sessions, caller, parameters });
    return document(`${action}Response`, {
      [`${action}Result`]: result,
      ResponseMetadata: { RequestId: requestId },
    });
  }
}

function document(root: string, content: XmlElements): string {
  return `${HEAD}<${root} xmlns="${NAMESPACE}">${elements(content)}</${root}>`;
}

function known(action: string, parameters: QueryParameters): StsAction {
  if (action === '') throw new StsError('MissingAction', 'The request must contain the parameter Action');
  const version = parameters.text('Version') ?? API_VERSION;
  const found = version === API_VERSION ? ACTIONS.get(action) : undefined;
  if (!found)
    throw new StsError('InvalidAction', `Could not find operation ${action} for version ${version}`);
  return found;
}
