/** Calls of the API from a terminal. Whatever goes wrong becomes a sentence that can be shown as it is. */
import type { ProblemDocument } from '../../contracts/problem';
import type { ApiAddress } from './api-address';
import { CallError } from './call-error';

const PATIENCE_MS = 20_000;

export class ApiCaller {
  constructor(readonly address: ApiAddress) {}

  get<Reply>(path: string): Promise<Reply> {
    return this.call<Reply>('GET', path);
  }

  /** @throws CallError */
  async call<Reply>(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: object): Promise<Reply> {
    const { url, token } = this.address;
    let response: Response;
    try {
      response = await fetch(`${url}/api/${path}`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
    } catch (error) {
      throw new CallError(
        `The API at ${url} is not reachable (${reasonOf(error)}): is it running?`,
        0,
        'unreachable',
      );
    }
    const text = await response.text();
    if (!response.ok) throw refusal(response.status, text, url);
    try {
      return JSON.parse(text) as Reply;
    } catch {
      throw new CallError(
        `What answers at ${url} is not Spotkeeper's API: it sent something else than JSON.`,
        response.status,
        'not_the_api',
      );
    }
  }
}

function reasonOf(error: unknown): string {
  const { name, message, cause } = error as Error & { cause?: { code?: string; message?: string } };
  if (name === 'TimeoutError') return `no answer within ${PATIENCE_MS / 1000} s`;
  return cause?.code ?? cause?.message ?? message;
}

function refusal(status: number, text: string, url: string): CallError {
  try {
    const { detail, code } = JSON.parse(text) as Partial<ProblemDocument>;
    if (typeof detail === 'string') return new CallError(detail, status, code ?? 'refused');
  } catch {
    // No problem document: whoever answers stands before the API, such as a proxy.
  }
  return new CallError(`${url} answered with the status ${status} and no reason.`, status, 'refused');
}
