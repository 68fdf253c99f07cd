/** JSON over node:http(s). No fetch: it costs 20 MB of memory, on every instance of the fleet. */
import http from 'node:http';
import https from 'node:https';

export interface HttpReply {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: string;
}

export interface HttpRequest {
  method: string;
  headers?: Record<string, string>;
  body?: string;
  /** For the whole exchange. */
  timeoutMs: number;
  signal?: AbortSignal;
}

const LONGEST_REPLY_BYTES = 1024 * 1024;

/** @throws Error when the server can't be reached, is too slow, or sends too much. */
export function httpRequest(
  url: URL,
  { method, headers = {}, body, timeoutMs, signal }: HttpRequest,
): Promise<HttpReply> {
  const transport = url.protocol === 'https:' ? https : http;
  const abort = signal
    ? AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
    : AbortSignal.timeout(timeoutMs);
  return new Promise((resolve, reject) => {
    const request = transport.request(url, { method, headers, signal: abort, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > LONGEST_REPLY_BYTES)
          request.destroy(new Error(`${url.host} sent more than ${LONGEST_REPLY_BYTES} bytes.`));
        else chunks.push(chunk);
      });
      response.on('error', reject);
      response.on('end', () => {
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString('utf8'),
        });
      });
    });
    request.on('error', (error) => {
      reject(
        error.name === 'AbortError' || error.name === 'TimeoutError'
          ? new Error(`${method} ${url.href} got no answer within ${timeoutMs} ms.`)
          : error,
      );
    });
    request.end(body);
  });
}

/** The object in a body, or null when it isn't one. */
export function jsonObject(body: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null; // What isn't JSON holds no object; the caller knows the status and says more.
  }
}
