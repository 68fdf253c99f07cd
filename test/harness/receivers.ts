/** Servers that notifications are sent to: they record what comes, and answer as they are told. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { until } from './until';

export interface ReceivedPost {
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

/** What becomes of one request. */
export type Answer = (response: ServerResponse, post: ReceivedPost) => void;

export const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  (response) =>
    response.writeHead(code, headers).end('the answer');

/** Takes the request and never answers. */
export const hang: Answer = () => undefined;

export class HttpReceiver {
  /** Of every path, in the order of their coming. */
  readonly posts: ReceivedPost[] = [];
  /** For the next requests of a path; after them 200. */
  readonly #answers = new Map<string, Answer[]>();
  readonly #sockets = new Set<Socket>();

  private constructor(
    readonly origin: string,
    private readonly closeServer: () => void,
  ) {}

  static async start(tls?: { key: string; cert: string }): Promise<HttpReceiver> {
    const onRequest: Parameters<typeof createServer>[1] = (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const post = {
          path: request.url ?? '',
          headers: request.headers,
          body: Buffer.concat(chunks).toString(),
        };
        receiver.#take(post, response);
      });
    };
    const server = tls ? createSecureServer(tls, onRequest) : createServer(onRequest);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const receiver: HttpReceiver = new HttpReceiver(`${tls ? 'https' : 'http'}://127.0.0.1:${port}`, () =>
      server.close(),
    );
    server.on('connection', (socket: Socket) => {
      receiver.#sockets.add(socket);
      socket.once('close', () => receiver.#sockets.delete(socket));
    });
    return receiver;
  }

  answerNext(path: string, ...answers: Answer[]): void {
    this.#answers.set(path, [...(this.#answers.get(path) ?? []), ...answers]);
  }

  to(path: string): ReceivedPost[] {
    return this.posts.filter((post) => post.path === path);
  }

  async arrived(path: string, count: number, timeoutMs = 30_000): Promise<ReceivedPost[]> {
    await until(`${count} posts came to ${path}`, async () => this.to(path).length >= count, timeoutMs);
    return this.to(path);
  }

  get connections(): number {
    return this.#sockets.size;
  }

  close(): void {
    this.closeServer();
    for (const socket of this.#sockets) socket.destroy();
  }

  #take(post: ReceivedPost, response: ServerResponse): void {
    this.posts.push(post);
    const answer = this.#answers.get(post.path)?.shift() ?? status(200);
    answer(response, post);
  }
}

export interface ReceivedMail {
  from: string;
  to: string[];
  text: string;
  secure: boolean;
  user: string | undefined;
}

export class MailReceiver {
  readonly mails: ReceivedMail[] = [];
  /** For the next mails: the SMTP status with which each is refused. */
  readonly refusals: number[] = [];

  private constructor(
    readonly port: number,
    private readonly server: SMTPServer,
  ) {}

  static async start(options: SMTPServerOptions = {}): Promise<MailReceiver> {
    const server = new SMTPServer({
      authOptional: true,
      logger: false,
      onAuth: ({ username, password }, _session, done) =>
        password === 'correct' ? done(null, { user: username }) : done(new Error('no')),
      ...options,
      onData: (stream, session, done) => {
        const chunks: Buffer[] = [];
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.on('end', () => {
          const refusal = receiver.refusals.shift();
          if (refusal !== undefined)
            return done(Object.assign(new Error('internal words'), { responseCode: refusal }));
          const { mailFrom, rcptTo } = session.envelope;
          receiver.mails.push({
            from: mailFrom === false ? '' : mailFrom.address,
            to: rcptTo.map((one) => one.address),
            text: Buffer.concat(chunks).toString(),
            secure: session.secure,
            user: session.user,
          });
          done();
        });
      },
    });
    server.on('error', () => undefined); // Clients that go away in the middle are part of the tests.
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const receiver: MailReceiver = new MailReceiver((server.server.address() as AddressInfo).port, server);
    return receiver;
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.server.close(resolve));
  }
}
