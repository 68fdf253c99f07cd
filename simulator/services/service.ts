/**
 * What EC2, STS and Pricing have in common behind their one port: a call is read, its caller known, its form checked,
 * its rate and permission judged, and only then is it performed. What differs is the protocol and the words.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { ServiceName } from '../books/settings';
import type { Caller } from './callers';
import type { Verdict } from './permissions';
import type { ServiceError } from './service-error';
import type { Draw } from './throttle';

export interface RawRequest {
  readonly headers: IncomingHttpHeaders;
  readonly method: string;
  /** What stands behind the `?`. */
  readonly query: string;
  readonly body: string;
}

/** A call whose action and parameters are known, by name and flat, for faults and the log; nothing is checked yet. */
export interface OpenCall {
  /** Empty when the request names none. */
  readonly action: string;
  readonly parameters: ReadonlyMap<string, string>;
  /** @throws ServiceError when there is no such action, or it doesn't take these parameters. */
  check(): void;
  /** What it takes out of its token buckets. */
  draws(): Draw[];
  /**
   * Answers with the body. Whatever changes, changes in the books, before it returns; an answer that is still to come
   * waits for files.
   * @throws ServiceError before anything is changed.
   */
  perform(context: CallContext): string | Promise<string>;
}

export interface CallContext {
  readonly caller: Caller;
  readonly requestId: string;
}

/** Why a caller isn't known. */
export type CallerProblem =
  | { readonly kind: 'unsigned' | 'malformed' | 'unknown-token' | 'expired-token' }
  | { readonly kind: 'wrong-service' | 'wrong-region'; readonly got: string };

export interface Service {
  readonly name: ServiceName;
  readonly contentType: string;
  /** Regions that a signature may be scoped to; null takes any. */
  readonly regions: readonly string[] | null;
  /** @throws ServiceError when the request isn't in the service's form. */
  open(request: RawRequest): OpenCall;
  refuseCaller(problem: CallerProblem): ServiceError;
  /** Of a call above its rate. */
  refuseRate(): ServiceError;
  /** Of a call that the caller has no permission for. */
  refuseAction(call: OpenCall, caller: Caller, verdict: Exclude<Verdict, 'allowed'>): ServiceError;
  /** Of what we did wrong. */
  refuseInternally(): ServiceError;
  /** The HTTP status that a code comes with. */
  statusOf(code: string): number;
  errorBody(error: ServiceError, requestId: string): string;
}
