/**
 * One POST to an address that a tenant chose.
 *
 *   G1  a name is resolved once, every address it has is checked, and the connection goes to one of those checked: a
 *       name that resolves otherwise a moment later (DNS rebinding) changes nothing;
 *   G2  a redirect is an answer like any other and isn't followed;
 *   G3  no proxy of the environment and no connection of an earlier request is used;
 *   G4  the answer is read up to a bound and forgotten: only its status and Retry-After come back.
 */
import { lookup as systemLookup, type LookupAddress } from 'node:dns';
import { type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { LookupFunction } from 'node:net';
import { connectionFault, literalAddress, type TargetRules } from '../../contracts/notification-targets';
import { GiveUp, TryAgain } from './delivery-errors';

export type Resolve = (hostname: string) => Promise<LookupAddress[]>;

export interface GuardedPost {
  url: URL;
  headers: Record<string, string>;
  body: string;
  rules: TargetRules;
  /** From the first step to the last byte. */
  timeoutMs: number;
  signal?: AbortSignal;
  resolve?: Resolve;
}

export interface PostAnswer {
  status: number;
  retryAfter: string | null;
}

const LONGEST_ANSWER_BYTES = 64 * 1024;

/** @throws TryAgain when there is no answer; GiveUp when the address may not be connected to. */
export async function guardedPost(post: GuardedPost): Promise<PostAnswer> {
  const { url, timeoutMs } = post;
  const literal = literalAddress(url);
  if (literal !== null) refuseUnlessAllowed(post, literal);
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = post.signal ? AbortSignal.any([post.signal, timeout]) : timeout;
  try {
    return await answerOf(post, signal);
  } catch (error) {
    if (error instanceof GiveUp) throw error;
    if (post.signal?.aborted) throw error;
    const why = timeout.aborted
      ? `it gave no answer within ${timeoutMs / 1000} s`
      : connectionWords(error as NodeJS.ErrnoException);
    throw new TryAgain(`${url.host} could not be reached: ${why}.`);
  }
}

function answerOf(post: GuardedPost, signal: AbortSignal): Promise<PostAnswer> {
  const { url, headers, body } = post;
  const make = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const request: ClientRequest = make(url, {
      method: 'POST',
      agent: false,
      lookup: checkedLookup(post),
      signal,
      headers: { ...headers, 'Content-Length': String(Buffer.byteLength(body)) },
    });
    let answer: PostAnswer | null = null;
    // The status has said what counts: a body that breaks off or never ends changes nothing.
    request.on('error', (error) => (answer ? resolve(answer) : reject(error)));
    request.once('response', (response: IncomingMessage) => {
      const heard = { status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'] ?? null };
      answer = heard;
      const finish = () => {
        request.destroy();
        resolve(heard);
      };
      drain(response).then(finish, finish);
    });
    request.end(body);
  });
}

async function drain(response: IncomingMessage): Promise<void> {
  let length = 0;
  for await (const chunk of response) {
    length += (chunk as Buffer).length;
    if (length > LONGEST_ANSWER_BYTES) return;
  }
}

function checkedLookup(post: GuardedPost): LookupFunction {
  const resolve = post.resolve ?? resolveBySystem;
  return (hostname, options, callback) => {
    resolve(hostname).then(
      (addresses) => {
        const [first] = addresses;
        if (!first) return callback(new Error('the name has no address'), '', 0);
        try {
          for (const { address } of addresses) refuseUnlessAllowed(post, address);
        } catch (error) {
          return callback(error as Error, '', 0);
        }
        if (options.all) callback(null, addresses);
        else callback(null, first.address, first.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, '', 0),
    );
  };
}

/** The address isn't named to the tenant: a name of theirs could point into our network to learn of it. */
function refuseUnlessAllowed({ url, rules }: GuardedPost, address: string): void {
  const fault = connectionFault(url, address, rules);
  if (fault) throw new GiveUp(`Nothing is sent to ${url.host}: ${fault}.`);
}

function resolveBySystem(hostname: string): Promise<LookupAddress[]> {
  return new Promise((resolve, reject) =>
    systemLookup(hostname, { all: true, verbatim: true }, (error, addresses) =>
      error ? reject(error) : resolve(addresses),
    ),
  );
}

/** Words of our own: Node's name the address that was connected to. */
function connectionWords({ code }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'ENODATA':
      return 'its name has no address';
    case 'ECONNREFUSED':
      return 'the connection was refused';
    case 'ECONNRESET':
    case 'EPIPE':
      return 'the connection broke';
    case 'CERT_HAS_EXPIRED':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `its certificate is not good (${code})`;
    default:
      return `the connection failed (${code ?? 'no reason given'})`;
  }
}
