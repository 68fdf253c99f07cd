/** Steps that nobody takes, as of an account without a worker, are tried ever more seldom. */

/** An hour at the default `retrySeconds`. */
const LONGEST = 12;

/** How many times `retrySeconds` to wait before the next attempt: doubled with each in a row that nobody took. */
export function untakenPause(attempts: number): number {
  return Math.min(2 ** Math.max(0, attempts - 1), LONGEST);
}
