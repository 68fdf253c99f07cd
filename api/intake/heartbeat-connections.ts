/**
 * Connections that bring heartbeats, read without node:http, which takes longer for a request than everything else that is
 * done with it and leaves objects behind that live from one heartbeat to the next.
 *
 * - **usual**: a heartbeat whose head is of the form of heartbeat-head.ts and whose body came with it or right after.
 *
 * Every connection begins here. With the first request that is not usual it goes over to node:http, unread from that
 * request's first byte on, and stays there.
 *
 * Invariants:
 *   C1  whatever is not usual is judged by node:http alone, so there is one reading of HTTP, and a strict part of it;
 *   C2  one request at a time: what is sent before the answer is read after it;
 *   C3  nobody is waited for longer than node:http would wait.
 */
import type { Socket } from 'node:net';
import type { Standing } from '../../db/heartbeat-news';
import type { Problem } from '../http/problem';
import type { Asker, HeartbeatIntake } from './heartbeat-intake';
import { type BeatAddress, type BeatHead, readBeatHead } from './heartbeat-head';
import { WrittenAnswers } from './written-answers';

export interface ConnectionsOptions {
  intake: HeartbeatIntake;
  /** Goes on with a connection by node:http. */
  handOver: (socket: Socket) => void;
  /** Answers a sender that took too long, and closes the connection. */
  tooSlow: (socket: Socket) => void;
  answered: (status: number, startMs: number) => void;
  /** For the first byte of a connection. */
  headersTimeoutMs: number;
  /** For the rest of a request. */
  requestTimeoutMs: number;
  /** Between two requests. */
  keepAliveMs: number;
}

export class HeartbeatConnections {
  readonly #options: ConnectionsOptions;
  readonly #answers: WrittenAnswers;
  readonly #open = new Set<Connection>();

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    this.#answers = new WrittenAnswers(options.keepAliveMs);
  }

  begin(socket: Socket): void {
    const connection = new Connection(socket, this.#options, this.#answers, () =>
      this.#open.delete(connection),
    );
    this.#open.add(connection);
  }

  /** Closes those that wait for no answer. */
  closeIdle(): void {
    for (const connection of this.#open) connection.closeIfIdle();
  }
}

/** The head that came last; the next one of the same sender is nearly always the same, byte for byte. */
interface KnownHead extends BeatHead {
  written: Buffer;
}

class Connection implements Asker {
  readonly #socket: Socket;
  readonly #options: ConnectionsOptions;
  readonly #answers: WrittenAnswers;
  /** Ours; others listen as well. */
  readonly #listeners: [event: string, listener: (chunk: Buffer) => void][];
  readonly #onGone: () => void;
  #head: KnownHead | null = null;
  /** The beginning of a request. */
  #begun: Buffer | null = null;
  /** What came before the answer (C2). */
  #ahead: Buffer[] = [];
  #state: 'new' | 'idle' | 'begun' | 'asked' | 'over' = 'new';
  #startMs = 0;
  /** The sender sends no more. */
  #ended = false;

  constructor(socket: Socket, options: ConnectionsOptions, answers: WrittenAnswers, onGone: () => void) {
    this.#socket = socket;
    this.#options = options;
    this.#answers = answers;
    this.#onGone = onGone;
    this.#listeners = [
      ['data', (chunk) => this.#take(chunk)],
      ['end', () => this.#end()],
      ['timeout', () => this.#timeout()],
      ['error', () => undefined], // 'close' follows.
      ['close', onGone],
    ];
    for (const [event, listener] of this.#listeners) socket.on(event, listener);
    socket.setTimeout(options.headersTimeoutMs);
  }

  closeIfIdle(): void {
    if (this.#state === 'idle') this.#socket.destroy();
  }

  stored(dialect: BeatAddress['dialect'], standing: Standing): void {
    this.#answer(200, this.#answers.reply(dialect, standing));
  }

  refused(problem: Problem): void {
    this.#answer(problem.status, this.#answers.problem(problem));
  }

  #take(chunk: Buffer): void {
    if (this.#state === 'over') return;
    if (this.#state === 'asked') {
      this.#keepAhead(chunk);
      return;
    }
    if (this.#state !== 'begun') this.#startMs = performance.now();
    const bytes = this.#begun === null ? chunk : Buffer.concat([this.#begun, chunk]);
    const head = this.#readHead(bytes);
    const missing = head === null ? NaN : head.bytes + head.bodyBytes - bytes.length;
    // Many a library sends the head first, and the body on its own.
    if (missing > 0 && this.#begun === null && !this.#ended) this.#begin(bytes);
    else if (head === null || missing > 0) this.#handOver(bytes);
    else this.#ask(head, bytes);
  }

  #keepAhead(bytes: Buffer): void {
    this.#ahead.push(bytes);
    this.#socket.pause();
  }

  #readHead(bytes: Buffer): KnownHead | null {
    const known = this.#head;
    if (known !== null && bytes.length >= known.bytes) {
      if (bytes.compare(known.written, 0, known.bytes, 0, known.bytes) === 0) return known;
    }
    const head = readBeatHead(bytes);
    if (head === null) return null;
    // A copy, since the bytes are a part of a larger piece of memory.
    this.#head = { ...head, written: Buffer.from(bytes.subarray(0, head.bytes)) };
    return this.#head;
  }

  #begin(bytes: Buffer): void {
    this.#begun = bytes;
    this.#state = 'begun';
    this.#socket.setTimeout(this.#options.requestTimeoutMs);
  }

  #ask(head: BeatHead, bytes: Buffer): void {
    if (this.#state !== 'idle') this.#socket.setTimeout(this.#options.keepAliveMs);
    this.#begun = null;
    this.#state = 'asked';
    const end = head.bytes + head.bodyBytes;
    if (bytes.length > end) this.#keepAhead(bytes.subarray(end));
    this.#options.intake.take(head.address, head.tokenHash, bytes.subarray(head.bytes, end), this);
  }

  #answer(status: number, bytes: Buffer): void {
    const socket = this.#socket;
    this.#options.answered(status, this.#startMs);
    if (socket.destroyed) return;
    const flushed = socket.write(bytes);
    if (this.#ahead.length > 0) {
      setImmediate(() => this.#goOn()); // Others have their turn between.
      return;
    }
    this.#state = 'idle';
    if (this.#ended) {
      socket.end();
    } else if (!flushed) {
      // It doesn't read what it is told.
      socket.pause();
      socket.once('drain', () => socket.resume());
    }
  }

  #goOn(): void {
    this.#state = 'idle';
    this.#socket.resume();
    this.#take(Buffer.concat(this.#ahead.splice(0)));
  }

  /** Upholds C1. */
  #handOver(bytes: Buffer): void {
    const socket = this.#socket;
    if (this.#ended) {
      socket.end(); // The rest of it never comes.
      return;
    }
    this.#onGone();
    for (const [event, listener] of this.#listeners) socket.off(event, listener);
    socket.setTimeout(0);
    socket.pause();
    socket.unshift(bytes);
    this.#options.handOver(socket);
    process.nextTick(() => socket.resume());
  }

  #end(): void {
    this.#ended = true;
    if (this.#state !== 'asked') this.#socket.end();
  }

  /** Upholds C3. */
  #timeout(): void {
    switch (this.#state) {
      case 'asked':
        return; // It waits for us.
      case 'idle':
      case 'over':
        this.#socket.destroy();
        return;
      case 'new':
      case 'begun':
        this.#state = 'over';
        this.#options.tooSlow(this.#socket);
    }
  }
}
