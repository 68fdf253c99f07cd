/** NextToken: an offset and, where a list must hold still between pages, the moment it was first read at. */
import { invalid } from './errors';
import type { QueryParameters } from './query-parameters';

export interface PageRequest {
  readonly offset: number;
  readonly size: number;
  /** What the first page stored in the token; null on the first page. */
  readonly readAt: number | null;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly nextToken: string | null;
}

/** In cloud seconds: no cloud runs for three thousand years, and moments far beyond have no date. */
const LATEST = 1e11;

/** @throws Ec2Error for a token that isn't one of ours. */
export function readPage(
  parameters: QueryParameters,
  size: { min: number; max: number; usual: number },
): PageRequest {
  const wanted = parameters.integer('MaxResults', size) ?? size.usual;
  const token = parameters.text('NextToken');
  if (token === null) return { offset: 0, size: wanted, readAt: null };
  const match = /^(\d{1,12})@([\d.e+-]{1,30})$/.exec(Buffer.from(token, 'base64url').toString());
  const readAt = Number(match?.[2]);
  if (!match || !(Math.abs(readAt) < LATEST)) throw invalid('Unable to parse pagination token');
  return { offset: Number(match[1]), size: wanted, readAt };
}

export function takePage<T>(items: readonly T[], page: PageRequest, readAt: number): Page<T> {
  const end = page.offset + page.size;
  const token = end < items.length ? Buffer.from(`${end}@${readAt}`).toString('base64url') : null;
  return { items: items.slice(page.offset, end), nextToken: token };
}
