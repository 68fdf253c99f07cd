import { Ec2Error, invalid } from './errors';

interface IdForm {
  readonly prefix: string;
  /** As EC2 names the parameter in its refusals. */
  readonly parameter: string;
  /** Of an id that has its prefix and isn't one all the same. */
  readonly malformed: string;
}

/**
 * Each once.
 * @throws Ec2Error for one that isn't `<prefix>-` and 8 or 17 hexadecimal digits; EC2 has another code for one that
 *   hasn't even the prefix.
 */
export function readIds(ids: readonly string[], { prefix, parameter, malformed }: IdForm): string[] {
  const form = new RegExp(`^${prefix}-([0-9a-f]{8}|[0-9a-f]{17})$`);
  const wrong = ids.find((id) => !form.test(id));
  if (wrong?.startsWith(`${prefix}-`)) {
    throw new Ec2Error(malformed, `Invalid id: "${wrong}" (expecting "${prefix}-...")`);
  }
  if (wrong !== undefined) {
    throw invalid(`Value (${wrong}) for parameter ${parameter} is invalid. Expected: '${prefix}-...'.`);
  }
  return [...new Set(ids)];
}
