/**
 * Arrays as Postgres reads them from text. node-postgres writes them as well, but looks at each element's kind and searches
 * each text for what must be escaped, twice; for a batch of heartbeats that takes longer than reading their answers.
 */

const ESCAPED = /["\\]/g;

export function textArray(values: readonly (string | null)[]): string {
  let text = '';
  for (const value of values) {
    if (text !== '') text += ',';
    if (value === null) text += 'NULL';
    else
      text +=
        value.includes('"') || value.includes('\\') ? `"${value.replace(ESCAPED, '\\$&')}"` : `"${value}"`;
  }
  return `{${text}}`;
}

export function numberArray(values: readonly (number | null)[]): string {
  let text = '';
  for (const value of values) {
    if (text !== '') text += ',';
    text += value === null ? 'NULL' : String(value);
  }
  return `{${text}}`;
}

export function booleanArray(values: readonly boolean[]): string {
  return `{${values.map((value) => (value ? 't' : 'f')).join(',')}}`;
}
