/** Refusals: thrown anywhere below a request, written as problem documents (RFC 9457). */
import type { ServerResponse } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { ProblemDocument } from '../../contracts/problem';

export class Problem extends Error {
  override name = 'Problem';

  /**
   * @param code for programs, such as `stand_down`.
   * @param detail a sentence: what happened, to what, why, what to do.
   */
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    readonly more: {
      headers?: Record<string, string>;
      /** Further members of the document. */
      extensions?: Record<string, unknown>;
    } = {},
  ) {
    super(detail);
  }

  /** Something this request needs is away at the moment. */
  static unavailable(code: string, detail: string, retryAfterSeconds: number): Problem {
    return new Problem(503, code, detail, { headers: retryAfter(retryAfterSeconds) });
  }

  static notFound(what: string): Problem {
    return new Problem(404, 'not_found', `${what} is not there, or is not this token's to see.`);
  }

  document(): ProblemDocument {
    return {
      type: `urn:spotkeeper:problem:${this.code}`,
      title: STATUS_CODES[this.status] ?? 'Error',
      status: this.status,
      detail: this.detail,
      code: this.code,
      ...this.more.extensions,
    };
  }
}

/** The header takes whole seconds. */
export function retryAfter(seconds: number): Record<string, string> {
  return { 'Retry-After': String(Math.max(1, Math.ceil(seconds))) };
}

/** Writes the document, unless an answer has begun, which can then only be broken off. */
export function writeProblem(response: ServerResponse, problem: Problem): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const body = JSON.stringify(problem.document());
  response.writeHead(problem.status, {
    'Content-Type': 'application/problem+json',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    ...problem.more.headers,
  });
  response.end(body);
}
