/**
 * Pages of a list in no order: another one with each list that is read, the same over the pages of one. A page goes on
 * behind the last place that was read, so what ends between two pages moves nothing, and nothing comes twice.
 */
import { randomInt } from 'node:crypto';
import { invalid } from './errors';
import type { Page } from './paging';
import type { QueryParameters } from './query-parameters';

export interface UnorderedPageRequest {
  readonly size: number;
  readonly seed: number;
  /** The place read last; null on the first page. */
  readonly after: string | null;
}

const SEEDS = 2 ** 32;

/** @throws Ec2Error for a token that isn't one of ours. */
export function readUnorderedPage(
  parameters: QueryParameters,
  size: { min: number; max: number; usual: number },
): UnorderedPageRequest {
  const wanted = parameters.integer('MaxResults', size) ?? size.usual;
  const token = parameters.text('NextToken');
  if (token === null) return { size: wanted, seed: randomInt(SEEDS), after: null };
  const match = /^(\d{1,10})@([0-9a-z-]{1,60})$/.exec(Buffer.from(token, 'base64url').toString());
  if (!match?.[2]) throw invalid('Unable to parse pagination token');
  return { size: wanted, seed: Number(match[1]), after: match[2] };
}

export function takeUnorderedPage<T extends { readonly id: string }>(
  items: readonly T[],
  { size, seed, after }: UnorderedPageRequest,
): Page<T> {
  const placed = items
    .map((item) => ({ item, place: placeOf(item.id, seed) }))
    .filter(({ place }) => after === null || place > after)
    .sort((a, b) => (a.place < b.place ? -1 : 1));
  const page = placed.slice(0, size);
  const last = page.at(-1)?.place;
  const nextToken =
    placed.length > size && last !== undefined ? Buffer.from(`${seed}@${last}`).toString('base64url') : null;
  return { items: page.map(({ item }) => item), nextToken };
}

/** Scattered by the seed (FNV-1a), and told apart by the id where that makes two the same. */
function placeOf(id: string, seed: number): string {
  let hash = (0x811c9dc5 ^ seed) >>> 0;
  for (let index = 0; index < id.length; index++) {
    hash = Math.imul(hash ^ id.charCodeAt(index), 0x01000193) >>> 0;
  }
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> 0;
  return `${((hash ^ (hash >>> 12)) >>> 0).toString(16).padStart(8, '0')}-${id}`;
}
