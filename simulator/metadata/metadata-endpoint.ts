/** IMDSv2: the metadata service of each instance. Without a session token there is nothing but 401. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Cloud } from '../cloud';
import { isActive } from '../instances/lifecycle';
import type { Delays } from '../services/delays';
import type { MetadataFaults } from './metadata-faults';
import { LONGEST_TTL_SECONDS } from './metadata-tokens';
import type { MetadataTokens } from './metadata-tokens';
import { findNode, metadataTree, renderNode } from './metadata-tree';
import type { MetadataSources } from './metadata-tree';

const TOKEN = 'x-aws-ec2-metadata-token';
const TTL = 'x-aws-ec2-metadata-token-ttl-seconds';

export interface MetadataParts {
  readonly cloud: Cloud;
  readonly tokens: MetadataTokens;
  readonly faults: MetadataFaults;
  readonly delays: Delays;
  readonly sources: MetadataSources;
  readonly onError: (error: unknown) => void;
}

interface Answer {
  readonly status: number;
  readonly content: string | Buffer;
  readonly headers?: Record<string, string>;
}

export class MetadataEndpoint {
  readonly #parts: MetadataParts;

  constructor(parts: MetadataParts) {
    this.#parts = parts;
  }

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
    this.#pass(instanceId, names, request, response).catch((error: unknown) => {
      if (!request.socket.destroyed) this.#parts.onError(error);
      request.socket.destroy();
    });
  }

  async #pass(
    instanceId: string,
    names: string[],
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const { faults, delays } = this.#parts;
    const path = `/${names.join('/')}`;
    const left = new AbortController();
    response.once('close', () => left.abort());
    await delays.pass('imds', path, 'before', left.signal);
    const fault = faults.take(instanceId, path);
    if (fault?.mode === 'hang') await faults.hold(left.signal);
    if (fault?.mode === 'drop') {
      request.socket.destroy();
      return;
    }
    const answer =
      fault?.mode === 'error'
        ? { status: fault.status, content: 'A fault was asked for by the control API.' }
        : this.#answerOf(instanceId, names, request);
    await delays.pass('imds', path, 'after', left.signal);
    send(response, answer);
  }

  #answerOf(instanceId: string, names: string[], request: IncomingMessage): Answer {
    const { cloud, tokens, sources } = this.#parts;
    cloud.advance();
    const instance = cloud.books.get('instance', instanceId);
    if (!instance || !isActive(instance)) {
      return { status: 404, content: 'There is no such running instance.' };
    }
    const [version, ...path] = names;
    if (path[0] === 'api' && path[1] === 'token') return this.#issueToken(instanceId, request);
    const token = request.headers[TOKEN];
    const left = typeof token === 'string' ? tokens.secondsLeft(instanceId, token) : null;
    if (left === null) return { status: 401, content: 'Unauthorized' };
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return { status: 405, content: 'Method Not Allowed', headers: { allow: 'OPTIONS, GET, HEAD' } };
    }
    const tree = metadataTree(sources, instance);
    const node =
      version === undefined ? { latest: tree } : isVersion(version) ? findNode(tree, path) : undefined;
    if (node === undefined) return { status: 404, content: 'Not Found' };
    return { status: 200, content: renderNode(node), headers: { [TTL]: String(left) } };
  }

  #issueToken(instanceId: string, request: IncomingMessage): Answer {
    if (request.method !== 'PUT') {
      return { status: 405, content: 'Method Not Allowed', headers: { allow: 'OPTIONS, PUT' } };
    }
    if (request.headers['x-forwarded-for'] !== undefined) return { status: 403, content: 'Forbidden' };
    const ttl = Number(request.headers[TTL]);
    if (!Number.isInteger(ttl) || ttl < 1 || ttl > LONGEST_TTL_SECONDS) {
      return { status: 400, content: 'Bad Request' };
    }
    const content = this.#parts.tokens.issue(instanceId, ttl);
    return { status: 200, content, headers: { [TTL]: String(ttl) } };
  }
}

/** The path's names, percent-decoded: a tag's key may hold anything but a slash. */
function namesOf(request: IncomingMessage): string[] {
  const [path = ''] = (request.url ?? '').split('?');
  return path.split('/').filter(Boolean).map(decode);
}

function decode(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch (error) {
    if (error instanceof URIError) return name;
    throw error;
  }
}

function isVersion(name: string): boolean {
  return name === 'latest' || /^\d{4}-\d\d-\d\d$/.test(name);
}

function send(response: ServerResponse, { status, content, headers = {} }: Answer): void {
  if (response.destroyed) return;
  const body = typeof content === 'string' ? Buffer.from(content) : content;
  response.writeHead(status, { 'content-type': 'text/plain', 'content-length': body.length, ...headers });
  response.end(body);
}
