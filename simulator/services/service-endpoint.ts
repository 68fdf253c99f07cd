/**
 * The port that EC2, STS and Pricing share: one HTTP request, one answer in its service's own form, whatever was sent.
 * The service is the one that the signature is scoped to; of an unsigned request, the one whose form it has.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Books } from '../books/books';
import type { Fault, ServiceName } from '../books/settings';
import type { CallLog } from '../control/call-log';
import type { Faults } from '../control/faults';
import { BodyTooLarge, readBody } from '../http-body';
import { readCaller } from './callers';
import type { CallerSettings } from './callers';
import { readScope } from './credential-scope';
import type { Delays } from './delays';
import type { Permissions } from './permissions';
import { ServiceError } from './service-error';
import type { OpenCall, RawRequest, Service } from './service';
import type { Throttle } from './throttle';

const LONGEST_BODY_BYTES = 1024 * 1024;

export interface ServiceEndpointParts {
  readonly books: Books;
  readonly services: Readonly<Record<ServiceName, Service>>;
  readonly callers: CallerSettings;
  readonly calls: CallLog;
  readonly faults: Faults;
  readonly delays: Delays;
  readonly throttle: Throttle;
  readonly permissions: Permissions;
  readonly onError: (error: unknown) => void;
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly outcome: string;
}

/** A call on its way through: what was sent, to whom, and its entry in the log. */
interface Passage {
  readonly raw: RawRequest;
  readonly service: Service;
  readonly call: OpenCall;
  readonly number: number;
  readonly requestId: string;
  readonly gone: AbortSignal;
}

export class ServiceEndpoint {
  readonly #parts: ServiceEndpointParts;

  constructor(parts: ServiceEndpointParts) {
    this.#parts = parts;
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const requestId = randomUUID();
    try {
      const { service, answer } = await this.#answer(request, response, requestId);
      if (answer === null) {
        request.socket.destroy();
        return;
      }
      response.writeHead(answer.status, {
        'content-type': service.contentType,
        'x-amzn-requestid': requestId,
      });
      response.end(request.method === 'HEAD' ? undefined : answer.body);
    } catch (error) {
      if (!request.socket.destroyed) this.#parts.onError(error);
      request.socket.destroy();
    }
  }

  /** A null answer cuts the connection. */
  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    requestId: string,
  ): Promise<{ service: Service; answer: Answer | null }> {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const { raw, tooLarge } = await readRequest(request);
    const service = this.#serviceOf(raw);
    let call: OpenCall;
    try {
      if (tooLarge) throw new ServiceError('RequestEntityTooLarge', tooLarge.message, 413);
      call = service.open(raw);
    } catch (error) {
      return { service, answer: this.#refusal(service, error, requestId) };
    }
    const { number } = this.#parts.calls.append({
      kind: 'call',
      service: service.name,
      action: call.action,
      region: null,
      access_key_id: null,
      params: Object.fromEntries(call.parameters),
      client_token: call.parameters.get('ClientToken') || null,
      request_id: requestId,
      outcome: 'pending',
    });
    const passage = { raw, service, call, number, requestId, gone: gone.signal };
    return { service, answer: await this.#pass(passage) };
  }

  async #pass(passage: Passage): Promise<Answer | null> {
    const { calls, faults, delays, books } = this.#parts;
    const { service, call, number, requestId, gone } = passage;
    await delays.pass(service.name, call.action, 'before', gone);
    const fault = faults.take(call.action, call.parameters);
    if (fault?.mode === 'drop-before') {
      calls.amend(number, { outcome: 'dropped' });
      return null;
    }
    if (fault?.mode === 'hang') {
      calls.amend(number, { outcome: 'hung' });
      await faults.hold(gone);
      // A caller that gave up on a hung call before it took effect has no effect.
      if (gone.aborted) {
        calls.amend(number, { outcome: 'abandoned' });
        return null;
      }
    }
    let answer: Answer;
    try {
      if (fault?.mode === 'error') throw asError(fault, service);
      answer = { status: 200, body: await this.#perform(passage), outcome: 'ok' };
    } catch (error) {
      answer = this.#refusal(service, error, requestId);
    }
    await books.durable();
    const after = await this.#afterwards(fault, answer, passage);
    if (after !== null) await delays.pass(service.name, call.action, 'after', gone);
    return after;
  }

  /** @throws ServiceError */
  #perform({ raw, service, call, number, requestId }: Passage): string | Promise<string> {
    const { callers, calls, throttle, permissions } = this.#parts;
    const caller = readCaller(raw, service, callers);
    if ('kind' in caller) throw service.refuseCaller(caller);
    calls.amend(number, {
      region: caller.region,
      access_key_id: caller.accessKeyId,
      principal: caller.arn,
    });
    call.check();
    const action = `${service.name}:${call.action}`;
    if (!throttle.take(action, caller.region, call.draws())) throw service.refuseRate();
    const verdict = permissions.verdict(action, caller);
    if (verdict !== 'allowed') throw service.refuseAction(call, caller, verdict);
    return call.perform({ caller, requestId });
  }

  async #afterwards(fault: Fault | null, answer: Answer, passage: Passage): Promise<Answer | null> {
    const { calls, faults } = this.#parts;
    const { service, number, requestId, gone } = passage;
    switch (fault?.mode) {
      case 'drop-after':
        calls.amend(number, { outcome: 'dropped' });
        return null;
      case 'hang-after':
        calls.amend(number, { outcome: 'hung' });
        await faults.hold(gone);
        break;
      case 'error-after':
        answer = this.#refusal(service, asError(fault, service), requestId);
        break;
      case 'error':
      case 'hang':
      case 'drop-before':
      case undefined:
        break;
    }
    calls.amend(number, { outcome: answer.outcome });
    return answer;
  }

  #serviceOf(raw: RawRequest): Service {
    const { services } = this.#parts;
    const scope = readScope(raw);
    if (scope !== null && scope !== 'malformed') {
      const signed = Object.values(services).find(({ name }) => name === scope.service);
      if (signed) return signed;
    }
    if (raw.headers['x-amz-target'] !== undefined) return services.pricing;
    const isSts = [raw.query, raw.body].some((form) => /(^|&)Version=2011-06-15(&|$)/.test(form.trim()));
    return isSts ? services.sts : services.ec2;
  }

  #refusal(service: Service, error: unknown, requestId: string): Answer {
    if (!(error instanceof ServiceError)) this.#parts.onError(error);
    const refusal = error instanceof ServiceError ? error : service.refuseInternally();
    return {
      status: refusal.status,
      body: service.errorBody(refusal, requestId),
      outcome: refusal.code,
    };
  }
}

async function readRequest(
  request: IncomingMessage,
): Promise<{ raw: RawRequest; tooLarge: BodyTooLarge | null }> {
  const url = request.url ?? '';
  const raw = {
    headers: request.headers,
    method: request.method ?? '',
    query: url.includes('?') ? url.slice(url.indexOf('?') + 1) : '',
    body: '',
  };
  try {
    return { raw: { ...raw, body: await readBody(request, LONGEST_BODY_BYTES) }, tooLarge: null };
  } catch (error) {
    if (error instanceof BodyTooLarge) return { raw, tooLarge: error };
    throw error;
  }
}

function asError({ code, message, status }: Fault, service: Service): ServiceError {
  return new ServiceError(code, message, status ?? service.statusOf(code));
}
