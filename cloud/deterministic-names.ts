/** Names and keys for what EC2 makes without a client token: the same question gives the same name. */
import { createHash } from 'node:crypto';

/** EC2's limit for the name of an image. */
const LONGEST_IMAGE_NAME = 128;

/**
 * The name of an image of an agent: `spotkeeper/<agent>/<digest>`. Readable as far as EC2's letters allow, told apart
 * by the digest of all parts.
 * @param parts what makes the image another one, for example ['switch', '3'].
 */
export function imageName(agentId: string, ...parts: readonly string[]): string {
  const digest = digestOf([agentId, ...parts]);
  const room = LONGEST_IMAGE_NAME - 'spotkeeper/'.length - 1 - digest.length;
  const readable = agentId.replace(/[^A-Za-z0-9._()-]/g, '-').slice(0, room);
  return `spotkeeper/${readable}/${digest}`;
}

/** The key of a snapshot: what it is for, for example ('retirement', 'i-0123'). */
export function snapshotKey(...parts: readonly string[]): string {
  return digestOf(parts);
}

function digestOf(parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
}
