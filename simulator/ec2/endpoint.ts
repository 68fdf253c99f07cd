/** EC2's endpoint: one HTTP request in the query protocol, one XML answer, whatever was sent. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Cloud } from '../cloud';
import type { CallLog } from '../control/call-log';
import type { Fault, Faults } from '../control/faults';
import { BodyTooLarge, readBody } from '../http-body';
import { ACTIONS } from './actions';
import { readCaller } from './authorization';
import { Ec2Error, missing } from './errors';
import { QueryParameters } from './query-parameters';
import { errorXml, responseXml } from './xml';

const LONGEST_BODY_BYTES = 1024 * 1024;
const API_VERSION = '2016-11-15';

export interface Ec2EndpointParts {
  readonly cloud: Cloud;
  readonly calls: CallLog;
  readonly faults: Faults;
  readonly onError: (error: unknown) => void;
}

interface Answer {
  readonly status: number;
  readonly xml: string;
  readonly outcome: string;
}

export class Ec2Endpoint {
  readonly #parts: Ec2EndpointParts;

  constructor(parts: Ec2EndpointParts) {
    this.#parts = parts;
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const requestId = randomUUID();
    try {
      const answer = await this.#answer(request, response, requestId);
      if (answer === null) {
        request.socket.destroy();
        return;
      }
      response.writeHead(answer.status, {
        'content-type': 'text/xml;charset=UTF-8',
        'x-amzn-requestid': requestId,
      });
      response.end(answer.xml);
    } catch (error) {
      if (!request.socket.destroyed) this.#parts.onError(error);
      request.socket.destroy();
    }
  }

  /** Null cuts the connection. */
  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    requestId: string,
  ): Promise<Answer | null> {
    let parameters: QueryParameters;
    try {
      parameters = await readParameters(request);
    } catch (error) {
      return this.#refusal(error, requestId);
    }
    const { calls, faults, cloud } = this.#parts;
    const action = parameters.text('Action') ?? '';
    const call = calls.append({
      kind: 'call',
      action,
      region: null,
      access_key_id: null,
      params: Object.fromEntries(parameters.flat),
      client_token: parameters.text('ClientToken'),
      request_id: requestId,
      outcome: 'pending',
    });
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const fault = faults.take(action, parameters.flat);
    if (fault?.mode === 'drop-before') {
      calls.amend(call.number, { outcome: 'dropped' });
      return null;
    }
    if (fault?.mode === 'hang') {
      calls.amend(call.number, { outcome: 'hung' });
      await faults.hold(gone.signal);
      // A caller that gave up before its call took effect has no effect.
      if (gone.signal.aborted) {
        calls.amend(call.number, { outcome: 'abandoned' });
        return null;
      }
    }
    let answer: Answer;
    try {
      if (fault?.mode === 'error') throw asError(fault);
      const caller = readCaller(request.headers, parameters, cloud.market.regions());
      calls.amend(call.number, { region: caller.region, access_key_id: caller.accessKeyId });
      const xml = perform(cloud, caller.region, action, parameters, requestId);
      answer = { status: 200, xml, outcome: 'ok' };
    } catch (error) {
      answer = this.#refusal(error, requestId);
    }
    await cloud.books.durable();
    return this.#afterwards(fault, answer, call.number, gone.signal, requestId);
  }

  async #afterwards(
    fault: Fault | null,
    answer: Answer,
    call: number,
    gone: AbortSignal,
    requestId: string,
  ): Promise<Answer | null> {
    const { calls, faults } = this.#parts;
    switch (fault?.mode) {
      case 'drop-after':
        calls.amend(call, { outcome: 'dropped' });
        return null;
      case 'hang-after':
        calls.amend(call, { outcome: 'hung' });
        await faults.hold(gone);
        break;
      case 'error-after': {
        const late = new Ec2Error('Unavailable', 'The server is overloaded and can’t handle the request.');
        calls.amend(call, { outcome: late.code });
        return this.#refusal(late, requestId);
      }
      case 'error':
      case 'hang':
      case 'drop-before':
      case undefined:
        break;
    }
    calls.amend(call, { outcome: answer.outcome });
    return answer;
  }

  #refusal(error: unknown, requestId: string): Answer {
    if (error instanceof Ec2Error) {
      return {
        status: error.status,
        xml: errorXml(error.code, error.message, requestId),
        outcome: error.code,
      };
    }
    this.#parts.onError(error);
    return {
      status: 500,
      xml: errorXml('InternalError', 'An internal error has occurred', requestId),
      outcome: 'InternalError',
    };
  }
}

function perform(
  cloud: Cloud,
  region: string,
  action: string,
  parameters: QueryParameters,
  requestId: string,
): string {
  if (action === '') throw missing('Action');
  const version = parameters.text('Version');
  const known = ACTIONS.get(action);
  if (!known || (version !== null && version !== API_VERSION)) {
    throw new Ec2Error(
      'InvalidAction',
      `The action ${action} is not valid for this web service${version === null ? '' : ` in version ${version}`}.`,
    );
  }
  parameters.allowOnly(known.parameters);
  const now = cloud.advance();
  return responseXml(action, requestId, known.run({ cloud, region, parameters, now }));
}

async function readParameters(request: IncomingMessage): Promise<QueryParameters> {
  const query = (request.url ?? '').split('?')[1] ?? '';
  switch (request.method) {
    case 'GET':
      return QueryParameters.parse(query);
    case 'POST':
      break;
    default:
      throw new Ec2Error(
        'InvalidRequest',
        `The method ${request.method} is not allowed; use POST or GET.`,
        405,
      );
  }
  try {
    const body = await readBody(request, LONGEST_BODY_BYTES);
    return QueryParameters.parse([query, body.trim()].filter(Boolean).join('&'));
  } catch (error) {
    if (error instanceof BodyTooLarge) throw new Ec2Error('RequestEntityTooLarge', error.message);
    throw error;
  }
}

function asError(fault: Fault): Ec2Error {
  return new Ec2Error(fault.code, fault.message, ...(fault.status === null ? [] : [fault.status]));
}
