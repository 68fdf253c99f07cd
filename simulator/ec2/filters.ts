/**
 * `Filter.N`: all filters must match, each by any of its values; `*` and `?` stand for any characters and any one, and for
 * themselves after a backslash.
 */
import { invalid } from './errors';
import type { QueryParameters } from './query-parameters';

/** The values that a thing has for a filter; null when there is no such filter. */
export type FilterValues<T> = (thing: T, filter: string) => readonly string[] | null;

/** @throws Ec2Error for a filter that isn't known (looked up on `sample`), or without a name or values. */
export function readFilters<T>(
  parameters: QueryParameters,
  valuesOf: FilterValues<T>,
  sample: T,
): (thing: T) => boolean {
  const filters = parameters.groups('Filter').map((group) => {
    const name = group.required('Name');
    const values = group.list('Value');
    if (values.length === 0) throw invalid(`The filter '${name}' has no values`);
    if (valuesOf(sample, name) === null) throw invalid(`The filter '${name}' is invalid`);
    return { name, patterns: values.map(pattern) };
  });
  return (thing) =>
    filters.every(({ name, patterns }) =>
      (valuesOf(thing, name) ?? []).some((value) => patterns.some((expression) => expression.test(value))),
    );
}

/** `tag:<key>` and `tag-key`; null for any other filter. */
export function tagFilterValues(tags: Readonly<Record<string, string>>, filter: string): string[] | null {
  if (filter === 'tag-key') return Object.keys(tags);
  if (!filter.startsWith('tag:')) return null;
  const key = filter.slice('tag:'.length);
  return Object.hasOwn(tags, key) ? [tags[key] as string] : [];
}

function pattern(value: string): RegExp {
  const source = value.replace(/\\?./gs, (part) => {
    if (part === '*') return '.*';
    if (part === '?') return '.';
    const literal = part.length === 2 ? part.slice(1) : part;
    return literal.replace(/[\\^$.*?|+()[\]{}]/g, '\\$&');
  });
  return new RegExp(`^${source}$`, 's');
}
