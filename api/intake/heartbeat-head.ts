/**
 * The head of a heartbeat as nearly all senders write it. It reads less than HTTP allows, and never anything else: whatever
 * is not of this form, node:http reads and judges (heartbeat-connections.ts).
 */
import { BODY_LIMIT_BYTES } from '../http/json-body';
import { credentialOf } from '../http/bearer';
import { tokenHash } from '../../db/tokens';

/** What a heartbeat's address says. */
export type BeatAddress = { dialect: 'heartbeat'; agentId: string } | { dialect: 'status' };

export interface BeatHead {
  address: BeatAddress;
  tokenHash: string;
  /** With the empty line. */
  bytes: number;
  bodyBytes: number;
}

const PATH = /^\/api\/(?:agents\/([\w-]{1,64})\/heartbeat|agent\/status)\/?(?:\?.*)?$/;
const REQUEST_LINE = /^POST ([\x21-\x7e]+) HTTP\/1\.1$/;
/** A token, and printable characters; node:http knows what to do about the others. */
const HEADER = /^([\w!#$%&'*+.^`|~-]+):[ \t]*([\x20-\x7e]*)$/;
/** node:http takes twice as much. */
const MOST_BYTES = 8_192;
/** They change how the body is read, or what is to be answered. */
const NOT_HERE = new Set(['transfer-encoding', 'content-encoding', 'expect', 'upgrade', 'trailer', 'te']);

/** Null for what is no heartbeat's. */
export function beatAddressOf(method: string | undefined, url: string | undefined): BeatAddress | null {
  if (method !== 'POST') return null;
  const match = PATH.exec(url ?? '');
  if (match === null) return null;
  return match[1] === undefined ? { dialect: 'status' } : { dialect: 'heartbeat', agentId: match[1] };
}

/** Null for whatever has to be looked at more closely, a head that is not complete too. */
export function readBeatHead(start: Buffer): BeatHead | null {
  const end = start.indexOf('\r\n\r\n');
  if (end === -1 || end > MOST_BYTES) return null;
  const [first = '', ...lines] = start.toString('latin1', 0, end).split('\r\n');
  const [, url] = REQUEST_LINE.exec(first) ?? [];
  const address = beatAddressOf('POST', url);
  if (url === undefined || address === null) return null;
  const headers = readHeaders(lines);
  if (headers === null) return null;
  const credential = credentialOf(headers.get('authorization') ?? '');
  const length = headers.get('content-length') ?? '';
  const usual =
    headers.has('host') &&
    headers.get('content-type') === 'application/json' &&
    (headers.get('connection') ?? 'keep-alive').toLowerCase() === 'keep-alive' &&
    /^\d{1,6}$/.test(length) &&
    Number(length) <= BODY_LIMIT_BYTES;
  if (!usual || credential === null) return null;
  return { address, tokenHash: tokenHash(credential), bytes: end + 4, bodyBytes: Number(length) };
}

/** Null when one is there twice, is malformed, or is one that changes what is read or answered. */
function readHeaders(lines: readonly string[]): Map<string, string> | null {
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, written, value] = HEADER.exec(line) ?? [];
    if (written === undefined || value === undefined) return null;
    const name = written.toLowerCase();
    if (NOT_HERE.has(name) || headers.has(name)) return null;
    headers.set(name, value.trimEnd());
  }
  return headers;
}
