/** Connections as senders use and misuse them: usual heartbeats without node:http, everything else with it. */
import { randomUUID } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { NOWHERE, RunningApi } from '../harness/running-api';
import { until } from '../harness/until';

let running: RunningApi;
let agentId: string;

beforeAll(async () => {
  running = await RunningApi.start({ env: { TEMPORAL_ADDRESS: NOWHERE, REQUEST_TIMEOUT_MS: '1500' } });
  agentId = randomUUID();
  await running.bookAgent('alpha', agentId, [{ instanceId: 'i-1', role: 'primary', incarnation: 4 }]);
});

afterAll(() => running?.stop());

/** A connection, and all that was received on it. */
class Line {
  received = '';
  closed = false;

  private constructor(readonly socket: Socket) {
    socket.setEncoding('utf8').on('data', (text: string) => (this.received += text));
    socket.on('end', () => socket.end());
    socket.on('close', () => (this.closed = true));
    socket.on('error', () => undefined);
  }

  static async open(): Promise<Line> {
    const { hostname, port } = new URL(running.url);
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true, noDelay: true });
    await new Promise((resolve) => socket.once('connect', resolve));
    return new Line(socket);
  }

  send(text: string): void {
    this.socket.write(text);
  }

  /** The answers' statuses so far. */
  get statuses(): number[] {
    return [...this.received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
  }

  async answers(count: number): Promise<number[]> {
    await until(`there are ${count} answers`, () => Promise.resolve(this.statuses.length >= count), 10_000);
    return this.statuses;
  }

  async end(): Promise<void> {
    await until('it is closed', () => Promise.resolve(this.closed), 10_000);
  }
}

interface Written {
  token?: string;
  body?: string;
  headers?: string;
}

function head({
  token = running.alpha.client,
  body = '{"instance_id":"i-1"}',
  headers = '',
}: Written = {}): string {
  return (
    `POST /api/agents/${agentId}/heartbeat HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n` +
    `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${headers}\r\n`
  );
}

const beat = (written: Written = {}) => head(written) + (written.body ?? '{"instance_id":"i-1"}');
const GET = 'GET /api/nothing HTTP/1.1\r\nHost: x\r\n\r\n';

async function heartbeats(): Promise<number> {
  return Number((await running.lease(agentId, 'i-1'))?.heartbeats ?? 0);
}

test('one after the other, with other requests between, on one connection', async () => {
  const line = await Line.open();
  const before = await heartbeats();
  const expected: number[] = [];
  for (const request of [beat(), beat(), beat({ headers: 'X-New: 1\r\n' }), GET, beat(), GET, beat()]) {
    line.send(request);
    expected.push(request === GET ? 404 : 200);
    await line.answers(expected.length);
  }
  expect(line.statuses).toEqual(expected);
  expect((await heartbeats()) - before).toBe(5);
  line.socket.destroy();
});

test('requests that are sent before the answer are answered in order', async () => {
  const line = await Line.open();
  const before = await heartbeats();
  line.send(beat() + beat() + GET + beat());
  expect(await line.answers(4)).toEqual([200, 200, 404, 200]);
  expect((await heartbeats()) - before).toBe(3);

  const second = await Line.open();
  second.send(beat());
  await second.answers(1);
  second.send(beat());
  second.send(GET);
  second.send(beat());
  expect(await second.answers(4)).toEqual([200, 200, 404, 200]);

  const third = await Line.open();
  third.send(beat());
  third.send(beat());
  third.socket.end(beat());
  expect(await third.answers(3)).toEqual([200, 200, 200]);
  await third.end();
  for (const { socket } of [line, second]) socket.destroy();
});

test('a head and a body on their own, or byte by byte', async () => {
  const line = await Line.open();
  for (let round = 1; round <= 2; round += 1) {
    line.send(head());
    await pause();
    line.send('{"instance_id":"i-1"}');
    await line.answers(round);
  }
  for (const byte of beat()) {
    line.send(byte);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await line.answers(3)).toEqual([200, 200, 200]);
  line.socket.destroy();
});

test('who ends after sending is answered, and who ends in the middle is not stored', async () => {
  const line = await Line.open();
  line.socket.end(beat());
  expect(await line.answers(1)).toEqual([200]);
  await line.end();

  const before = await heartbeats();
  const broken = await Line.open();
  broken.send(head());
  await pause();
  broken.socket.end('{"inst');
  await broken.end();
  expect(await heartbeats()).toBe(before);
});

test('who says nothing, or not all, is told that it took too long', async () => {
  const silent = await Line.open();
  const begun = await Line.open();
  begun.send(head());
  const late = await Line.open();
  late.send(beat());
  await late.answers(1);
  late.send(head());
  expect(await silent.answers(1)).toEqual([408]);
  expect(await begun.answers(1)).toEqual([408]);
  expect(await late.answers(2)).toEqual([200, 408]);
  await Promise.all([silent, begun, late].map((line) => line.end()));
});

const answerOf = async (request: string) => {
  const line = await Line.open();
  line.send(request);
  await line.answers(1);
  line.socket.destroy();
  return line.received.replace(/Date: .*/, 'Date');
};

test.each<[string, () => Written]>([
  ['stored', () => ({})],
  ['of an unknown token', () => ({ token: 'skc_unknown-unknown' })],
  ['of a token that sends none', () => ({ token: running.alpha.user })],
  ["of another client's", () => ({ token: running.beta.client })],
  ['of a body that is no JSON', () => ({ body: '{"a":' })],
  ['of a field there twice', () => ({ body: '{"a":1,"a":2}' })],
  ['of a status nobody knows', () => ({ body: '{"instance_id":"i-1","status":"x"}' })],
  ['without a body', () => ({ body: '' })],
])('the answer to a heartbeat %s is the same by either way', async (_name, written) => {
  // The header's value is what node:http alone reads, and changes nothing.
  const byHttp = await answerOf(beat({ ...written(), headers: 'TE: trailers\r\n' }));
  expect(await answerOf(beat(written()))).toBe(byHttp);
  expect(byHttp).toMatch(/^HTTP\/1\.1 \d{3} [^]*Keep-Alive: timeout=75\r\n/);
});

/** So that two pieces are sent as two. */
function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}
