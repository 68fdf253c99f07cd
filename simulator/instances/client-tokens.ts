/**
 * RunInstances' client tokens, as EC2 documents them: a token names one launch in a region, or in a zone when the
 * request names one; the same request again is the same launch; another request under it is refused, and so is the
 * launch of something that has been terminated since.
 */
import { createHash } from 'node:crypto';
import type { Instance, TokenUse } from '../books/entities';

export const LONGEST_TOKEN = 64;

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

/** @param find the instance as EC2 still shows it; undefined when it is forgotten, which is as good as terminated. */
export function judgeToken(
  use: TokenUse | undefined,
  fingerprint: string,
  find: (id: string) => Instance | undefined,
): TokenVerdict {
  if (!use) return { kind: 'new' };
  if (use.fingerprint !== fingerprint) return { kind: 'mismatch' };
  const instances = use.instanceIds.map(find).filter((instance) => instance !== undefined);
  const gone = instances.length < use.instanceIds.length;
  if (gone || instances.some(({ state }) => state === 'terminated')) {
    return { kind: 'terminated', instanceIds: use.instanceIds };
  }
  return { kind: 'same', instances };
}
