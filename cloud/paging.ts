/** Paging to the end, over answers whose order may change between two pages. */
import { CloudError } from './cloud-error';

export interface Page<T> {
  items: readonly T[];
  /** EC2 ends with an empty token as well as with none, and an empty page may have one. */
  nextToken: string | undefined;
}

/**
 * All items of all pages. An item that two pages show counts once, as the later page has it.
 * @param idOf what tells two items apart.
 * @throws CloudError `retry` when the pages go round in a circle.
 */
export async function allPages<T>(
  action: string,
  fetchPage: (nextToken: string | undefined) => Promise<Page<T>>,
  idOf: (item: T) => string,
): Promise<T[]> {
  const found = new Map<string, T>();
  const seenTokens = new Set<string>();
  let token: string | undefined;
  do {
    const page = await fetchPage(token);
    for (const item of page.items) found.set(idOf(item), item);
    token = page.nextToken || undefined;
    if (token !== undefined && seenTokens.has(token)) {
      throw new CloudError(
        { kind: 'retry', code: 'PagingLoop' },
        `${action} gave the same NextToken twice, so its pages would never end. The same is asked again.`,
      );
    }
    if (token !== undefined) seenTokens.add(token);
  } while (token !== undefined);
  return [...found.values()];
}
