/** Reading a request's body, up to a limit. */
import type { IncomingMessage } from 'node:http';

export class BodyTooLarge extends Error {
  override name = 'BodyTooLarge';
  constructor(readonly limit: number) {
    super(`The request's body is larger than ${limit} bytes.`);
  }
}

/** @throws BodyTooLarge; the stream's error when the caller goes away. */
export async function readBody(request: IncomingMessage, limit: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  let tooLarge = false;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    // The rest is read and dropped, so that the caller can read the refusal.
    if (size > limit) tooLarge = true;
    else chunks.push(chunk);
  }
  if (tooLarge) throw new BodyTooLarge(limit);
  return Buffer.concat(chunks).toString('utf8');
}
