/**
 * Many ids in few calls. EC2 fails a whole call over one id that it does not know, cannot read or protects, so such ids
 * are sifted out and the others asked for again.
 */
import type { CloudError } from './cloud-error';

/** EC2 takes up to 1,000 ids; fewer keep a call quick and a repeat cheap. */
const BATCH = 100;

export interface Sifted<Reply> {
  replies: Reply[];
  /** Ids that were refused, by themselves or with their whole batch. */
  refused: Map<string, CloudError>;
}

/** What an error of a whole batch is: over some of its ids, so sift; over all of them; or over none, so throw it. */
export type Verdict = (error: CloudError, ids: readonly string[]) => 'sift' | 'refuse' | 'throw';

/** Calls with all ids, in batches, one after the other. The same id twice is asked once. */
export async function inBatches<Reply>(
  ids: readonly string[],
  call: (ids: string[]) => Promise<Reply>,
  verdict: Verdict,
): Promise<Sifted<Reply>> {
  const sifted: Sifted<Reply> = { replies: [], refused: new Map() };
  const different = [...new Set(ids)];
  for (let start = 0; start < different.length; start += BATCH) {
    await sift(different.slice(start, start + BATCH), call, verdict, sifted);
  }
  return sifted;
}

async function sift<Reply>(
  ids: string[],
  call: (ids: string[]) => Promise<Reply>,
  verdict: Verdict,
  sifted: Sifted<Reply>,
): Promise<void> {
  try {
    sifted.replies.push(await call(ids));
  } catch (error) {
    const refusal = error as CloudError;
    const judged = verdict(refusal, ids);
    if (judged === 'throw') throw refusal;
    if (judged === 'refuse' || ids.length === 1) {
      for (const id of ids) sifted.refused.set(id, refusal);
      return;
    }
    for (const part of split(ids, refusal)) await sift(part, call, verdict, sifted);
  }
}

/** EC2's message names ids, mostly: those are asked for one by one, the others together. Else halves. */
function split(ids: string[], refusal: CloudError): string[][] {
  const named = namedIn(refusal, ids);
  if (named.length > 0 && named.length < ids.length) {
    return [...named.map((id) => [id]), ids.filter((id) => !named.includes(id))];
  }
  const middle = Math.ceil(ids.length / 2);
  return [ids.slice(0, middle), ids.slice(middle)];
}

/** Those of the ids that AWS's own message names; ours names all that were asked for. */
export function namedIn(refusal: CloudError, ids: readonly string[]): string[] {
  const words = new Set(refusal.cause instanceof Error ? refusal.cause.message.split(/[^\w.-]+/) : []);
  return ids.filter((id) => words.has(id));
}
