/** A refusal, or no answer at all. */
export class CallError extends Error {
  override name = 'CallError';

  /** @param status of the answer; 0 when there was none. @param code for programs. */
  constructor(
    message: string,
    readonly status: number,
    readonly code: string,
  ) {
    super(message);
  }
}
