/** What every call to AWS has in common: errors in our words, tags as lists, filters. */
import type { Tag } from '@aws-sdk/client-ec2';
import { type AwsCall, classifyAwsError } from './aws-errors';
import { CloudError } from './cloud-error';
import type { Tags } from './cloud-port';

/** Runs one call of the SDK. @throws CloudError and nothing else. */
export async function ask<Reply>(call: AwsCall, send: () => Promise<Reply>): Promise<Reply> {
  try {
    return await send();
  } catch (error) {
    throw classifyAwsError(error, call);
  }
}

/** An EC2 call's name for its sentences. */
export function ec2Call(action: string, object: string): AwsCall {
  return { service: 'ec2', action, object };
}

export function tagList(tags: Tags): Tag[] {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}

export function tagRecord(tags: Tag[] | undefined): Record<string, string> {
  return Object.fromEntries((tags ?? []).map(({ Key, Value }) => [Key ?? '', Value ?? '']));
}

/** `*` and `?` are wildcards in a filter's value, and a backslash takes that from them. */
export function tagFilters(tags: Tags): { Name: string; Values: string[] }[] {
  return Object.entries(tags).map(([key, value]) => ({
    Name: `tag:${key}`,
    Values: [value.replace(/[\\*?]/g, '\\$&')],
  }));
}

/** An answer without what it must hold; whether the call took effect is unknown. */
export function emptyReply({ action, object }: AwsCall, what: string): CloudError {
  return new CloudError(
    { kind: 'retry', code: 'EmptyReply', ambiguous: true },
    `EC2 answered ${action} ${object} without ${what}. The same is asked again.`,
  );
}

/** Newest first, by a field that holds ISO 8601 or nothing. */
export function newestFirst<T>(items: readonly T[], time: (item: T) => string | null): T[] {
  return [...items].sort((one, other) => (time(other) ?? '').localeCompare(time(one) ?? ''));
}
