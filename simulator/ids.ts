/** Ids as EC2 makes them: a prefix and 17 hexadecimal digits. */
import { randomBytes } from 'node:crypto';

export function newId(prefix: string): string {
  return `${prefix}-${randomBytes(9).toString('hex').slice(0, 17)}`;
}
