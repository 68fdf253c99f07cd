/** Requests to the simulated cloud as they are on the wire, for what no SDK would send; and refusals as SDKs show them. */
import { Agent, request } from 'node:http';

export interface Reply {
  status: number;
  type: string;
  body: string;
}

export interface RawCall {
  method?: string;
  path?: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
  /** Of the credential scope; null sends none. */
  service?: string | null;
  region?: string;
  accessKeyId?: string;
}

/** A connection kept alive, as SDKs keep theirs. `close` ends it. */
export class Wire {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });

  constructor(private readonly url: string) {}

  send({
    method = 'POST',
    path = '/',
    headers = {},
    body = '',
    service = 'ec2',
    region = 'us-east-1',
    accessKeyId = 'AKIDTEST',
  }: RawCall): Promise<Reply> {
    const scope = `${accessKeyId}/20250101/${region}/${service}/aws4_request`;
    return new Promise((resolve, reject) => {
      const sent = request(
        this.url + path,
        {
          method,
          agent: this.#agent,
          headers: {
            'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
            'content-length': Buffer.byteLength(body),
            ...(service !== null && {
              authorization: `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=0`,
            }),
            ...headers,
          },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.once('error', reject);
          response.once('end', () =>
            resolve({
              status: response.statusCode ?? 0,
              type: response.headers['content-type'] ?? '',
              body: Buffer.concat(chunks).toString(),
            }),
          );
        },
      );
      sent.once('error', reject);
      sent.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

export interface Refusal {
  name: string;
  message: string;
  status?: number;
}

/** What a call was refused with. @throws Error when it wasn't. */
export async function refusal(run: Promise<unknown>): Promise<Refusal> {
  try {
    await run;
  } catch (error) {
    const { name, message, $metadata } = error as Error & { $metadata?: { httpStatusCode?: number } };
    return { name, message, ...($metadata?.httpStatusCode && { status: $metadata.httpStatusCode }) };
  }
  throw new Error('It was not refused.');
}
