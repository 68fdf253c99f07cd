/** The one error of the port, named by what happens next; `aws-errors.ts` says which AWS codes mean what. */

export type CloudErrorKind =
  /** Ask the same again soon. */
  | 'retry'
  /** Asked too often, or too much at once: ask the same again later. */
  | 'throttled'
  /** This pool has none to give: try another. */
  | 'no_capacity'
  /** EC2 knows no such thing, or the effect took place already. Soon after it was made this proves nothing. */
  | 'already_done'
  /** The thing is in another state than the call needs: look at it, then decide. */
  | 'wrong_state'
  /** A person has to change permissions, credentials or limits. */
  | 'not_permitted'
  /** The request itself is wrong and will be at every attempt. */
  | 'never';

export interface CloudErrorFacts {
  kind: CloudErrorKind;
  /** AWS's own code, for example InsufficientInstanceCapacity; of a broken connection Node's, for example ECONNRESET. */
  code: string;
  /**
   * The call may have taken effect although it failed: its answer was lost on the way, or the server failed after it
   * had begun. Only a repeat with the same client token, or a look at the cloud, tells.
   */
  ambiguous?: boolean;
}

export class CloudError extends Error {
  override name = 'CloudError';
  readonly kind: CloudErrorKind;
  readonly code: string;
  readonly ambiguous: boolean;

  /** @param message a sentence: what was refused, of what, AWS's code and reason, what to do. */
  constructor({ kind, code, ambiguous = false }: CloudErrorFacts, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
    this.code = code;
    this.ambiguous = ambiguous;
  }
}
