/** Describing by id: one call's answer as a map, what EC2 does not know beside it. */
import { inBatches, namedIn } from './batching';
import type { CloudError } from './cloud-error';
import type { Described } from './cloud-port';

/**
 * Whether an error is over ids: unknown ones, or ones that are none. Of those without the prefix of their kind EC2 says
 * InvalidParameterValue, which it says of much else, so the id must be named.
 */
export function isOverUnknownId(error: CloudError, ids: readonly string[]): boolean {
  if (error.kind === 'already_done' || error.code.endsWith('.Malformed')) return true;
  return error.code === 'InvalidParameterValue' && namedIn(error, ids).length > 0;
}

/**
 * @param describe one call, all pages of it.
 * @returns with every id asked for in `found` or in `unknown`.
 */
export async function describeByIds<T>(
  ids: readonly string[],
  describe: (ids: string[]) => Promise<T[]>,
  idOf: (item: T) => string,
): Promise<Described<T>> {
  const { replies } = await inBatches(ids, describe, (error, asked) =>
    isOverUnknownId(error, asked) ? 'sift' : 'throw',
  );
  const found = new Map(replies.flat().map((item) => [idOf(item), item]));
  return { found, unknown: [...new Set(ids)].filter((id) => !found.has(id)) };
}
