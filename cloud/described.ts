/** Describing by id: one call's answer as a map, what EC2 does not know beside it. */
import { inBatches } from './batching';
import type { CloudError } from './cloud-error';
import type { Described } from './cloud-port';

/** Codes over one id of many: unknown, or not of the form of an id. */
export function isOverUnknownId(error: CloudError): boolean {
  return error.kind === 'already_done' || error.code.endsWith('.Malformed');
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
  const { replies } = await inBatches(ids, describe, (error) => (isOverUnknownId(error) ? 'sift' : 'throw'));
  const found = new Map(replies.flat().map((item) => [idOf(item), item]));
  return { found, unknown: [...new Set(ids)].filter((id) => !found.has(id)) };
}
