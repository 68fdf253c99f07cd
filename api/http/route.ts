/** Routes with one handler a method; any other method of a known address gets 405 with what it takes. */
import type { Request, RequestHandler, Response, Router } from 'express';
import { Problem } from './problem';

export type Handler = (request: Request, response: Response) => Promise<void> | void;

export function route(router: Router, path: string, handlers: Partial<Record<string, Handler>>): void {
  const allowed = Object.keys(handlers).sort();
  if (handlers.GET) allowed.push('HEAD');
  const dispatch: RequestHandler = async (request, response) => {
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    const handler = handlers[method];
    if (handler) return handler(request, response);
    const headers = { Allow: allowed.join(', ') };
    throw new Problem(
      405,
      'method_not_allowed',
      `${request.method} is not for this address; it takes ${allowed.join(', ')}.`,
      { headers },
    );
  };
  router.all(path, dispatch);
}

/** A named part of the address. */
export function parameter(request: Request, name: string): string {
  const value = request.params[name];
  return typeof value === 'string' ? value : '';
}

/** A query parameter that stands in the address at most once. @throws Problem 400 */
export function queryText(request: Request, name: string): string | null {
  const value = request.query[name];
  if (value === undefined) return null;
  if (typeof value === 'string') return value;
  throw new Problem(400, 'invalid_query', `The query parameter ${name} may be there once.`);
}

/** @throws Problem 400 */
export function queryCount(request: Request, name: string, max: number): number | null {
  const text = queryText(request, name);
  if (text === null) return null;
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && count <= max) return count;
  throw new Problem(400, 'invalid_query', `The query parameter ${name} is a whole number from 1 to ${max}.`);
}
