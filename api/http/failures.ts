/** Turns whatever a request ran into into a refusal: named by what the caller should do next. */
import { isGrpcServiceError, ServiceError } from '@temporalio/client';
import type { Logger } from 'pino';
import { Problem } from './problem';

/** What Node and node-postgres say of a server that isn't there, or goes away. */
const CONNECTION_FAILURES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
]);
/**
 * SQLSTATE classes and codes: connection exception, resources, operator intervention, a statement that took too long,
 * system error, unknown database or login, a database that takes no connections, and one that only reads, as in the
 * middle of a fail-over.
 */
const UNAVAILABLE_STATES = /^(?:08|53|57P|57014|58|3D000|28|55000|25006)/;

export function isDatabaseUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = (error as { code?: unknown }).code;
  if (typeof code === 'string') return CONNECTION_FAILURES.has(code) || UNAVAILABLE_STATES.test(code);
  if (error instanceof AggregateError) return error.errors.some(isDatabaseUnavailable);
  return /Connection terminated|timeout exceeded when trying to connect|Query read timeout/.test(
    error.message,
  );
}

/** Never shows what went wrong inside; that is in the log. */
export function problemOf(error: unknown, log: Pick<Logger, 'error'>): Problem {
  if (error instanceof Problem) return error;
  const status = httpStatusOf(error);
  if (status !== null) {
    return new Problem(
      status,
      'bad_request',
      'The request is not readable: its address or headers are malformed.',
    );
  }
  if (isGrpcServiceError(error) || error instanceof ServiceError) {
    log.error({ err: error }, 'Temporal did not answer as it should');
    return Problem.unavailable(
      'temporal_unavailable',
      'Temporal does not answer at the moment; ask again.',
      5,
    );
  }
  if (isDatabaseUnavailable(error)) {
    log.error({ err: error }, 'the database is away');
    return Problem.unavailable(
      'database_unavailable',
      'The database does not answer at the moment, and nothing was changed; ask again.',
      5,
    );
  }
  log.error({ err: error }, 'a request failed');
  return new Problem(500, 'internal', 'The server failed on this request; its log says why.');
}

/** Express marks what is wrong with a request, such as a malformed escape in its path. */
function httpStatusOf(error: unknown): number | null {
  if (!(error instanceof Error)) return null;
  const status = (error as { status?: unknown }).status;
  return typeof status === 'number' && status >= 400 && status < 500 ? status : null;
}
