/** Answers as bytes for a bare connection, with the headers that node:http would send. */
import { STATUS_CODES } from 'node:http';
import type { Standing } from '../../db/heartbeat-news';
import type { Problem } from '../http/problem';
import { replyOf } from './heartbeat-reply';
import type { BeatAddress } from './heartbeat-head';

type Dialect = BeatAddress['dialect'];

/** What heartbeats are answered with. A fleet is told the same thing thousands of times a second, so it is written once. */
export class WrittenAnswers {
  readonly #keepAlive: string;
  /** Of this second, since an answer says when it was given. */
  readonly #replies = new Map<string, Buffer>();
  #second = 0;
  #date = '';

  /** @param keepAliveMs for how long the connection is kept. */
  constructor(keepAliveMs: number) {
    this.#keepAlive = `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(keepAliveMs / 1000)}\r\n`;
  }

  reply(dialect: Dialect, standing: Standing): Buffer {
    this.#lookAtTheClock();
    // A warning counts down.
    if (standing.warning !== null) return this.#writeReply(dialect, standing);
    const { role, intervalSeconds, incarnation, currentIncarnation, configRevision } = standing;
    const key = `${dialect} ${role} ${intervalSeconds} ${incarnation} ${currentIncarnation} ${configRevision}`;
    let reply = this.#replies.get(key);
    if (reply === undefined) {
      reply = this.#writeReply(dialect, standing);
      this.#replies.set(key, reply);
    }
    return reply;
  }

  problem(problem: Problem): Buffer {
    this.#lookAtTheClock();
    return this.#write(problem.status, 'application/problem+json', problem.document(), {
      'Cache-Control': 'no-store',
      ...problem.more.headers,
    });
  }

  #writeReply(dialect: Dialect, standing: Standing): Buffer {
    return this.#write(200, 'application/json', replyOf(dialect, standing), {});
  }

  #write(status: number, type: string, document: object, headers: Record<string, string>): Buffer {
    const body = JSON.stringify(document);
    const more = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    return Buffer.from(
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: ${type}\r\nContent-Length: ` +
        `${Buffer.byteLength(body)}\r\n${more.join('')}Date: ${this.#date}\r\n${this.#keepAlive}\r\n${body}`,
    );
  }

  #lookAtTheClock(): void {
    const nowMs = Date.now();
    const second = Math.floor(nowMs / 1000);
    if (second === this.#second) return;
    this.#second = second;
    this.#date = new Date(nowMs).toUTCString();
    this.#replies.clear();
  }
}
