/** One kept-open connection, with one request under way at a time. */
import { connect, type Socket } from 'node:net';

type OnAnswer = (status: number | string, dueMs: number) => void;

interface Request {
  bytes: Buffer;
  dueMs: number;
  onAnswer: OnAnswer;
}

export class LoadConnection {
  readonly #host: string;
  readonly #port: number;
  #socket: Socket;
  #underWay: Request | null = null;
  readonly #waiting: Request[] = [];
  #received = '';
  #closed = false;

  private constructor(host: string, port: number, socket: Socket) {
    this.#host = host;
    this.#port = port;
    this.#socket = socket;
    this.#listen(socket);
  }

  static async open(host: string, port: number): Promise<LoadConnection> {
    return new LoadConnection(host, port, await opened(host, port));
  }

  send(bytes: Buffer, dueMs: number, onAnswer: OnAnswer): void {
    const request = { bytes, dueMs, onAnswer };
    if (this.#underWay) this.#waiting.push(request);
    else this.#write(request);
  }

  close(): void {
    this.#closed = true;
    this.#socket.destroy();
  }

  #write(request: Request): void {
    this.#underWay = request;
    this.#socket.write(request.bytes);
  }

  #listen(socket: Socket): void {
    socket.on('data', (chunk: Buffer) => this.#read(chunk.toString('latin1')));
    socket.once('close', () => void this.#broke('closed'));
    socket.on('error', () => undefined); // 'close' follows.
  }

  /** Every answer of this API says its length. */
  #read(text: string): void {
    this.#received += text;
    const headerEnd = this.#received.indexOf('\r\n\r\n');
    if (headerEnd === -1) return;
    const header = this.#received.slice(0, headerEnd);
    const [, length = '0'] = /\r\ncontent-length: (\d+)/i.exec(header) ?? [];
    if (this.#received.length < headerEnd + 4 + Number(length)) return;
    this.#received = '';
    this.#answer(Number(header.slice(9, 12)));
  }

  #answer(status: number | string): void {
    const request = this.#underWay;
    this.#underWay = null;
    const next = this.#waiting.shift();
    if (next) this.#write(next);
    request?.onAnswer(status, request.dueMs);
  }

  /** The request under way is lost; the next goes by a new connection. */
  async #broke(how: string): Promise<void> {
    if (this.#closed) return;
    this.#received = '';
    const lost = this.#underWay;
    this.#underWay = null;
    lost?.onAnswer(how, lost.dueMs);
    try {
      this.#socket = await opened(this.#host, this.#port);
      this.#listen(this.#socket);
      const next = this.#underWay ?? this.#waiting.shift();
      if (next) this.#write(next);
    } catch (error) {
      const { code = 'refused' } = error as NodeJS.ErrnoException;
      const lostToo = [this.#underWay, ...this.#waiting.splice(0)];
      this.#underWay = null;
      for (const request of lostToo) request?.onAnswer(code, request.dueMs);
    }
  }
}

function opened(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true }, () => {
      socket.off('error', reject);
      resolve(socket);
    });
    socket.once('error', reject);
  });
}
