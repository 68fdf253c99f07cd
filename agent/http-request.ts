/** One HTTP request over node:http or node:https: `fetch` would add a third to the agent's memory. */
import http from 'node:http';
import https from 'node:https';

export interface HttpReply {
  status: number;
  headers: http.IncomingHttpHeaders;
  text: string;
}

export interface HttpRequest {
  method: 'GET' | 'POST' | 'PUT';
  headers?: Record<string, string>;
  body?: string;
  /** From the call to the last byte of the reply. */
  timeoutMs: number;
  signal?: AbortSignal;
}

/** Longer replies aren't ours. */
const REPLY_LIMIT = 1024 * 1024;

const agents = {
  'http:': new http.Agent({ keepAlive: true, maxSockets: 4 }),
  'https:': new https.Agent({ keepAlive: true, maxSockets: 4 }),
};

/** @throws Error when there is no reply in time, or it is broken off or too long. */
export function httpRequest(url: string, request: HttpRequest): Promise<HttpReply> {
  const target = new URL(url);
  const secure = target.protocol === 'https:';
  const deadline = AbortSignal.timeout(request.timeoutMs);
  const signal = request.signal ? AbortSignal.any([request.signal, deadline]) : deadline;
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      const late = deadline.aborted && !request.signal?.aborted;
      reject(late ? new Error(`no reply within ${request.timeoutMs / 1000} s`) : error);
    };
    const outgoing = (secure ? https : http).request(
      target,
      {
        method: request.method,
        agent: agents[secure ? 'https:' : 'http:'],
        signal,
        headers: {
          ...request.headers,
          ...(request.body !== undefined && { 'Content-Length': String(Buffer.byteLength(request.body)) }),
        },
      },
      (reply) => {
        let text = '';
        reply.setEncoding('utf8');
        reply.on('data', (chunk: string) => {
          text += chunk;
          if (text.length > REPLY_LIMIT) outgoing.destroy(new Error('the reply is too long'));
        });
        reply.once('error', fail);
        reply.once('end', () => resolve({ status: reply.statusCode ?? 0, headers: reply.headers, text }));
      },
    );
    outgoing.once('error', fail);
    outgoing.end(request.body);
  });
}
