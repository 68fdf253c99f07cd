/**
 * RunInstances' client tokens, as EC2 documents them: a token names one launch in a region, or in a zone when the
 * request names one; the same request again is the same launch; another request under it is refused, and so is the
 * launch of something that has been terminated since. A token holds for a day after the end of its instances: EC2 once
 * promised at least that much, and now promises nothing.
 */
import { createHash } from 'node:crypto';
import type { Books, BooksPut } from '../books/books';
import type { Instance, TokenUse } from '../books/entities';

export const LONGEST_TOKEN = 64;
const HELD_SECONDS = 24 * 3600;

export type TokenVerdict =
  | { kind: 'new' }
  | { kind: 'same'; instances: readonly Instance[] }
  | { kind: 'mismatch' }
  | { kind: 'terminated'; instanceIds: readonly string[] };

export function tokenKey(token: string, region: string, zone: string | null): string {
  return `${zone ?? region}/${token}`;
}

/** What a request asks for, whatever the order of its parameters and however it was signed. */
export function requestFingerprint(parameters: ReadonlyMap<string, string>): string {
  const asked = [...parameters].filter(([name]) => name !== 'ClientToken' && name !== 'Version').sort();
  return createHash('sha256').update(JSON.stringify(asked)).digest('hex');
}

/** The token's use as the forgetting of an instance leaves it; none when others of its instances are still there. */
export function tokenAfter(
  books: Books,
  { id, clientToken, region, zone }: Instance,
  now: number,
): BooksPut[] {
  if (clientToken === null) return [];
  return [tokenKey(clientToken, region, zone), tokenKey(clientToken, region, null)].flatMap(
    (key): BooksPut[] => {
      const use = books.get('token', key);
      if (!use?.instanceIds.includes(id)) return [];
      const others = use.instanceIds.some((other) => other !== id && books.get('instance', other));
      return others ? [] : [['token', key, { ...use, goneAt: now }]];
    },
  );
}

/** Whether a token may be used anew. */
export function isFree(use: TokenUse, now: number): boolean {
  return use.goneAt !== undefined && use.goneAt + HELD_SECONDS <= now;
}

/** @param find the instance as EC2 still shows it; undefined when it is forgotten, which is as good as terminated. */
export function judgeToken(
  use: TokenUse | undefined,
  fingerprint: string,
  now: number,
  find: (id: string) => Instance | undefined,
): TokenVerdict {
  if (!use || isFree(use, now)) return { kind: 'new' };
  if (use.fingerprint !== fingerprint) return { kind: 'mismatch' };
  const instances = use.instanceIds.map(find).filter((instance) => instance !== undefined);
  const gone = instances.length < use.instanceIds.length;
  if (gone || instances.some(({ state }) => state === 'terminated')) {
    return { kind: 'terminated', instanceIds: use.instanceIds };
  }
  return { kind: 'same', instances };
}
