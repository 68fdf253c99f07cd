/** Reading a request's body, up to a limit. */
import type { IncomingMessage } from 'node:http';

export class BodyTooLarge extends Error {
  override name = 'BodyTooLarge';
  constructor(readonly limit: number) {
    super(`The request's body is larger than ${limit} bytes.`);
  }
}

/** How much more is read of a body that is too large, so that its sender comes to read the refusal. */
const PATIENCE_BYTES = 8 * 1024 * 1024;

/** @throws BodyTooLarge; the stream's error when the caller goes away, or is cut off because its body has no end. */
export async function readBody(request: IncomingMessage, limit: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  let tooLarge = false;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit + PATIENCE_BYTES) request.destroy();
    if (size > limit) tooLarge = true;
    else chunks.push(chunk);
  }
  if (tooLarge) throw new BodyTooLarge(limit);
  return Buffer.concat(chunks).toString('utf8');
}
