/** The control API: JSON over HTTP on loopback, for tests, demos and rehearsals. README.md lists its calls. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { BodyTooLarge, readBody } from '../http-body';
import { ControlError } from './control-error';
import { followEvents } from './event-stream';
import { ROUTES } from './routes';
import type { ControlParts } from './route';

const LONGEST_BODY_BYTES = 64 * 1024;

export class ControlEndpoint {
  constructor(
    private readonly parts: ControlParts,
    private readonly onError: (error: unknown) => void,
  ) {}

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const { pathname, searchParams } = new URL(request.url ?? '/', 'http://control');
      if (request.method === 'GET' && pathname === '/events') {
        request.resume();
        followEvents(this.parts.cloud.events, request, response, searchParams);
        return;
      }
      const result = await this.#dispatch(request, response, pathname, searchParams);
      await this.parts.cloud.books.durable();
      send(response, 200, result);
    } catch (error) {
      if (error instanceof ControlError) send(response, error.status, { error: error.message });
      else if (error instanceof BodyTooLarge) send(response, 413, { error: error.message });
      else {
        if (!request.socket.destroyed) this.onError(error);
        send(response, 500, { error: 'The simulator failed at this request; its log says how.' });
      }
    }
  }

  async #dispatch(
    request: IncomingMessage,
    response: ServerResponse,
    pathname: string,
    query: URLSearchParams,
  ): Promise<unknown> {
    const text = await readBody(request, LONGEST_BODY_BYTES);
    const matching = ROUTES.flatMap((route) => {
      const groups = route.path.exec(pathname)?.slice(1);
      return groups ? [{ route, argument: groups[0] ?? '' }] : [];
    });
    if (matching.length === 0) {
      throw new ControlError(404, `There is no ${pathname} here; simulator/README.md lists what there is.`);
    }
    const match = matching.find(({ route }) => route.method === request.method);
    if (!match) {
      const methods = matching.map(({ route }) => route.method).join(', ');
      throw new ControlError(405, `${pathname} takes ${methods}, not ${request.method}.`);
    }
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const body = match.route.method === 'POST' ? readJson(request, text) : {};
    this.parts.cloud.advance();
    return match.route.run({ ...this.parts, argument: match.argument, query, body, gone: gone.signal });
  }
}

/** A page in a browser can't send this type across sites unasked, so it can't command the cloud. */
function readJson(request: IncomingMessage, text: string): unknown {
  if (text === '' && request.headers.origin === undefined) return {};
  if (!/^application\/json\b/.test(request.headers['content-type'] ?? '')) {
    throw new ControlError(415, 'The body must be JSON, with content-type application/json.');
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ControlError(400, `The body is not JSON: ${(error as Error).message}.`);
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  if (response.destroyed) return;
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
