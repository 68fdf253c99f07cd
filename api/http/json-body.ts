/** Reads a request's JSON body, for Express and for the heartbeat intake alike. */
import { isAscii, isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import type { z } from 'zod';
import { parseJson } from './json-text';
import { Problem } from './problem';

/** No request of ours comes near it. */
export const BODY_LIMIT_BYTES = 64 * 1024;

/**
 * The body's JSON value; an empty body is an empty object.
 * @throws Problem 400, 413, 415 or 422.
 */
export function readJson(request: IncomingMessage): Promise<unknown> {
  return readBytes(request).then((bytes) => {
    if (bytes.length > 0) checkContentType(request);
    return parseBytes(bytes);
  });
}

/** The same of a body that is there, and of application/json. @throws Problem 400 or 422. */
export function parseBytes(bytes: Buffer): unknown {
  if (bytes.length === 0) return {};
  // To decode UTF-8 takes several times as long, and most bodies have no use for it.
  const ascii = isAscii(bytes);
  if (!ascii && !isUtf8(bytes)) throw new Problem(400, 'malformed_body', 'The body is not UTF-8.');
  const parsed = parseJson(bytes.toString(ascii ? 'latin1' : 'utf8'));
  if (parsed.ok) return parsed.value;
  if (parsed.malformed) {
    throw new Problem(400, 'malformed_body', `The body is not JSON: ${parsed.reason}.`);
  }
  throw new Problem(422, 'invalid_body', `The body can't be taken: ${parsed.reason}.`, {
    extensions: { errors: [{ field: '', message: parsed.reason }] },
  });
}

/** @throws Problem 422 that lists each field's fault. */
export function validate<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const errors = parsed.error.issues.map((issue) => ({
    field: issue.path.join('.'),
    message: issue.message,
  }));
  const list = errors.map(({ field, message }) => (field ? `${field}: ${message}` : message)).join('; ');
  throw new Problem(422, 'invalid_body', `The body can't be taken: ${list}.`, { extensions: { errors } });
}

function checkContentType(request: IncomingMessage): void {
  const { 'content-type': given, 'content-encoding': encoding = 'identity' } = request.headers;
  if (given === 'application/json' && encoding === 'identity') return; // Nearly always.
  if (encoding !== 'identity') {
    throw new Problem(
      415,
      'unsupported_encoding',
      `A body encoded as ${encoding} isn't taken; send it plain.`,
    );
  }
  const [type = '', ...parameters] = (request.headers['content-type'] ?? '').toLowerCase().split(';');
  const charset = parameters.map((one) => one.trim()).find((one) => one.startsWith('charset='));
  const utf8 = charset === undefined || /^charset="?(?:utf-8|us-ascii)"?$/.test(charset);
  if (type.trim() === 'application/json' && utf8) return;
  const got = request.headers['content-type'] ?? 'none';
  throw new Problem(
    415,
    'unsupported_media_type',
    `The content type is ${got}; send application/json in UTF-8.`,
  );
}

/** What is too long is not read to its end, so the connection can't be used again. */
function readBytes(request: IncomingMessage): Promise<Buffer> {
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > BODY_LIMIT_BYTES) return Promise.reject(tooLong(request));
  return new Promise<Buffer>((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    let ended = false;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > BODY_LIMIT_BYTES) reject(tooLong(request));
      else chunks.push(chunk);
    });
    request.on('end', () => {
      ended = true;
      const [only] = chunks;
      resolve(chunks.length === 1 && only ? only : Buffer.concat(chunks, length));
    });
    const broken = () => {
      if (!ended) reject(brokenOff());
    };
    request.on('error', broken);
    request.on('close', broken);
  });
}

function tooLong(request: IncomingMessage): Problem {
  request.removeAllListeners('data');
  request.resume();
  return new Problem(413, 'body_too_long', `The body is longer than ${BODY_LIMIT_BYTES} bytes.`, {
    headers: { Connection: 'close' },
  });
}

/** Nobody is left to read it. */
function brokenOff(): Problem {
  return new Problem(400, 'broken_off', 'The request was broken off before its end.');
}
