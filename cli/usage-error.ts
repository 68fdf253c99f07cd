/** A command that was asked for in a way it can't follow. The message names what, what it got and what it takes; exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError';
}
