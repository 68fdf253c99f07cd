/** Problem documents (RFC 9457), the shape of every refusal of the API. */

export interface ProblemDocument {
  type: string;
  title: string;
  status: number;
  /** A sentence: what happened, to what, why, what to do. */
  detail: string;
  /** For programs. */
  code: string;
  [extension: string]: unknown;
}
