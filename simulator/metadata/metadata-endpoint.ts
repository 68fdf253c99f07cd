/** IMDSv2: the metadata service of each instance. Without a session token there is nothing but 401. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Cloud } from '../cloud';
import { isActive } from '../instances/lifecycle';
import { LONGEST_TTL_SECONDS } from './metadata-tokens';
import type { MetadataTokens } from './metadata-tokens';
import { findNode, metadataTree, renderNode } from './metadata-tree';

const TOKEN = 'x-aws-ec2-metadata-token';
const TTL = 'x-aws-ec2-metadata-token-ttl-seconds';

export class MetadataEndpoint {
  constructor(
    private readonly cloud: Cloud,
    private readonly tokens: MetadataTokens,
  ) {}

  /** A request to the address that all instances share: `/<instance-id>/latest/…`. */
  answerShared(request: IncomingMessage, response: ServerResponse): void {
    const [instanceId = '', ...names] = namesOf(request);
    this.#answer(instanceId, names, request, response);
  }

  /** A request to an instance's own port: `/latest/…`. */
  answerOwn(instanceId: string, request: IncomingMessage, response: ServerResponse): void {
    this.#answer(instanceId, namesOf(request), request, response);
  }

  #answer(instanceId: string, names: string[], request: IncomingMessage, response: ServerResponse): void {
    request.resume();
    this.cloud.advance();
    const instance = this.cloud.books.get('instance', instanceId);
    if (!instance || !isActive(instance)) {
      send(response, 404, 'There is no such running instance.');
      return;
    }
    const [version, ...path] = names;
    if (path[0] === 'api' && path[1] === 'token') {
      this.#issueToken(instanceId, request, response);
      return;
    }
    const token = request.headers[TOKEN];
    const left = typeof token === 'string' ? this.tokens.secondsLeft(instanceId, token, Date.now()) : null;
    if (left === null) {
      send(response, 401, 'Unauthorized');
      return;
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      send(response, 405, 'Method Not Allowed', { allow: 'OPTIONS, GET, HEAD' });
      return;
    }
    const tree = metadataTree(this.cloud, instance);
    const node =
      version === undefined ? { latest: tree } : isVersion(version) ? findNode(tree, path) : undefined;
    if (node === undefined) send(response, 404, 'Not Found');
    else send(response, 200, renderNode(node), { [TTL]: String(left) });
  }

  #issueToken(instanceId: string, request: IncomingMessage, response: ServerResponse): void {
    if (request.method !== 'PUT') {
      send(response, 405, 'Method Not Allowed', { allow: 'OPTIONS, PUT' });
      return;
    }
    if (request.headers['x-forwarded-for'] !== undefined) {
      send(response, 403, 'Forbidden');
      return;
    }
    const ttl = Number(request.headers[TTL]);
    if (!Number.isInteger(ttl) || ttl < 1 || ttl > LONGEST_TTL_SECONDS) {
      send(response, 400, 'Bad Request');
      return;
    }
    send(response, 200, this.tokens.issue(instanceId, ttl, Date.now()), { [TTL]: String(ttl) });
  }
}

function namesOf(request: IncomingMessage): string[] {
  return ((request.url ?? '').split('?')[0] ?? '').split('/').filter(Boolean);
}

function isVersion(name: string): boolean {
  return name === 'latest' || /^\d{4}-\d\d-\d\d$/.test(name);
}

function send(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Record<string, string> = {},
): void {
  const body = Buffer.from(text, 'latin1');
  response.writeHead(status, { 'content-type': 'text/plain', 'content-length': body.length, ...headers });
  response.end(body);
}
