/** Tags: EC2's rules for them, where requests carry them and how answers show them. */
import type { Tags } from '../books/entities';
import { Ec2Error, invalid } from './errors';
import type { QueryParameters } from './query-parameters';
import type { XmlElements } from './xml';

const MOST_TAGS = 50;

/** `Tag.1.Key`, `Tag.1.Value`, … of this group. @throws Ec2Error for tags that EC2 doesn't take. */
export function readTags(parameters: QueryParameters): Tags {
  const tags = new Map<string, string>();
  for (const tag of parameters.groups('Tag')) {
    const key = tag.required('Key');
    const value = tag.text('Value') ?? '';
    if (key.length > 128) throw invalid(`Tag key exceeds the maximum length of 128 characters`);
    if (value.length > 256) throw invalid(`Tag value exceeds the maximum length of 256 characters`);
    if (/^aws:/i.test(key)) throw invalid(`Tag keys starting with 'aws:' are reserved for internal use`);
    if (tags.has(key)) throw invalid(`Duplicate tag key '${key}' specified.`);
    tags.set(key, value);
  }
  return Object.fromEntries(tags);
}

/**
 * The tags of `TagSpecification.N` for one type of resource.
 * @throws Ec2Error for a type that this action makes none of.
 */
export function readTagSpecifications(
  parameters: QueryParameters,
  resourceType: string,
  otherTypes: readonly string[],
): Tags {
  let tags: Tags = {};
  for (const specification of parameters.groups('TagSpecification')) {
    const type = specification.required('ResourceType');
    if (type !== resourceType && !otherTypes.includes(type)) {
      throw invalid(`'${type}' is not a valid taggable resource type for this operation.`);
    }
    const given = readTags(specification);
    if (type === resourceType) tags = addTags(tags, given);
  }
  return tags;
}

/** @throws Ec2Error TagLimitExceeded. */
export function addTags(tags: Tags, more: Tags): Tags {
  const all = { ...tags, ...more };
  if (Object.keys(all).length > MOST_TAGS) {
    throw new Ec2Error('TagLimitExceeded', `The maximum number of Tags for a resource has been reached.`);
  }
  return all;
}

export function tagSet(tags: Tags): XmlElements[] | undefined {
  const entries = Object.entries(tags);
  return entries.length === 0 ? undefined : entries.map(([key, value]) => ({ key, value }));
}
