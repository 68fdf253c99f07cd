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
      (valuesOf(thing, name) ?? []).some((value) => patterns.some((isMatch) => isMatch(value))),
    );
}

/** `tag:<key>` and `tag-key`; null for any other filter. */
export function tagFilterValues(tags: Readonly<Record<string, string>>, filter: string): string[] | null {
  if (filter === 'tag-key') return Object.keys(tags);
  if (!filter.startsWith('tag:')) return null;
  const key = filter.slice('tag:'.length);
  return Object.hasOwn(tags, key) ? [tags[key] as string] : [];
}

/** A part of a pattern: a run of any characters, any one, or itself. */
type Part = typeof RUN | typeof ONE | string;
const RUN = Symbol('*');
const ONE = Symbol('?');

function pattern(value: string): (text: string) => boolean {
  const parts = (value.match(/\\.|./gsu) ?? []).map((part): Part => {
    if (part === '*') return RUN;
    if (part === '?') return ONE;
    return part.startsWith('\\') && part.length > 1 ? part.slice(1) : part;
  });
  if (parts.every((part) => typeof part === 'string')) {
    const whole = parts.join('');
    return (text) => text === whole;
  }
  return (text) => matchesParts(parts, [...text]);
}

/**
 * Goes back to the last run alone, so its time is at most the product of both lengths; a regular expression's grows with
 * a power as high as there are runs, and one filter would stop the cloud.
 */
function matchesParts(parts: readonly Part[], text: readonly string[]): boolean {
  let at = 0;
  let part = 0;
  let run = -1;
  let runEnd = 0;
  while (at < text.length) {
    if (parts[part] === RUN) {
      run = part++;
      runEnd = at;
    } else if (part < parts.length && (parts[part] === ONE || parts[part] === text[at])) {
      part++;
      at++;
    } else if (run >= 0) {
      part = run + 1;
      at = ++runEnd;
    } else {
      return false;
    }
  }
  return parts.slice(part).every((rest) => rest === RUN);
}
