/** A service's refusal: a code that programs read, a sentence, and the HTTP status it comes with. */
export class ServiceError extends Error {
  override name = 'ServiceError';
  constructor(
    readonly code: string,
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}
