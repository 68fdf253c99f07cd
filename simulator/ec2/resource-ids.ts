import { invalid } from './errors';

/** Each once. @throws Ec2Error for one that isn't `<prefix>-` and 8 or 17 hexadecimal digits. */
export function readIds(ids: readonly string[], prefix: string, parameter: string): string[] {
  const form = new RegExp(`^${prefix}-([0-9a-f]{8}|[0-9a-f]{17})$`);
  const malformed = ids.find((id) => !form.test(id));
  if (malformed !== undefined) {
    throw invalid(`Value (${malformed}) for parameter ${parameter} is invalid. Expected: '${prefix}-...'.`);
  }
  return [...new Set(ids)];
}
