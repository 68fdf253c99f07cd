/** What is taken for a usual heartbeat without node:http, which must read the same wherever it is taken. */
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tokenHash } from '../../db/tokens';
import { credentialOf } from '../../api/http/bearer';
import { beatAddressOf, readBeatHead } from '../../api/intake/heartbeat-head';

const USUAL = [
  'POST /api/agents/a-1/heartbeat HTTP/1.1',
  'Host: x',
  'Authorization: Bearer ski_12345678',
  'Content-Type: application/json',
  'Content-Length: 2',
];
const read = (lines: readonly string[]) =>
  readBeatHead(Buffer.from(`${lines.join('\r\n')}\r\n\r\n{}`, 'latin1'));
const without = (name: string) => USUAL.filter((line) => !line.startsWith(name));
const replaced = (name: string, line: string) => USUAL.map((one) => (one.startsWith(name) ? line : one));

test('the usual', () => {
  expect(read(USUAL)).toEqual({
    address: { dialect: 'heartbeat', agentId: 'a-1' },
    tokenHash: tokenHash('ski_12345678'),
    bytes: USUAL.join('\r\n').length + 4,
    bodyBytes: 2,
  });
  expect(read(replaced('POST', 'POST /api/agent/status?x=1 HTTP/1.1'))?.address).toEqual({
    dialect: 'status',
  });
  expect(read([...USUAL, 'Connection: Keep-Alive', 'User-Agent: a (b; c)', 'X-Empty:'])).not.toBeNull();
});

test.each([
  ['a head without its end', ['POST /api/agent/status HTTP/1.1', 'Host: x'].slice(0, 1)],
  ['another method', replaced('POST', 'PUT /api/agents/a-1/heartbeat HTTP/1.1')],
  ['another address', replaced('POST', 'POST /api/agents/a-1/heartbeats HTTP/1.1')],
  ['an escaped address', replaced('POST', 'POST /api/agents/a%2d1/heartbeat HTTP/1.1')],
  ['an absolute address', replaced('POST', 'POST http://x/api/agent/status HTTP/1.1')],
  ['HTTP/1.0', replaced('POST', 'POST /api/agent/status HTTP/1.0')],
  ['two spaces', replaced('POST', 'POST  /api/agent/status HTTP/1.1')],
  ['no host', without('Host')],
  ['no token', without('Authorization')],
  ['another scheme', replaced('Authorization', 'Authorization: Basic ski_12345678')],
  ['no content type', without('Content-Type')],
  ['a charset', replaced('Content-Type', 'Content-Type: application/json; charset=utf-8')],
  ['no length', without('Content-Length')],
  ['a length in another form', replaced('Content-Length', 'Content-Length: +2')],
  ['a length too large', replaced('Content-Length', 'Content-Length: 65537')],
  ['two lengths', [...USUAL, 'content-length: 2']],
  ['two tokens', [...USUAL, 'authorization: Bearer ski_other678']],
  ['chunks', [...USUAL, 'Transfer-Encoding: chunked']],
  ['a coding', [...USUAL, 'Content-Encoding: gzip']],
  ['an expectation', [...USUAL, 'Expect: 100-continue']],
  ['an upgrade', [...USUAL, 'Connection: Upgrade', 'Upgrade: h2c']],
  ['an end', [...USUAL, 'Connection: close']],
  ['a folded header', [...USUAL, 'X-One: a', ' b']],
  ['a space before the colon', replaced('Content-Length', 'Content-Length : 2')],
  ['a bare line feed', [...USUAL, 'X-One: a\nContent-Length: 3']],
  ['a NUL', [...USUAL, 'X-One: a\0b']],
  ['a byte past ASCII', [...USUAL, 'X-One: \xe9']],
  ['a line that is no header', [...USUAL, 'nothing']],
  ['a long head', [...USUAL, `X-One: ${'a'.repeat(9_000)}`]],
])('%s is for node:http', (_name, lines) => {
  expect(read(lines)).toBeNull();
});

test('whatever is taken, node:http reads the same', async () => {
  let seen: (request: IncomingMessage | null) => void = () => undefined;
  const server = createServer((request) => seen(request)).on('clientError', () => seen(null));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const readByHttp = async (text: string) => {
    const reading = new Promise<IncomingMessage | null>((resolve) => (seen = resolve));
    const socket = connect(port, '127.0.0.1', () => socket.write(text)).on('error', () => undefined);
    const request = await reading;
    request?.on('error', () => undefined);
    socket.destroy();
    return request;
  };
  let seed = 11;
  const random = (below: number) => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) % below;
  const pieces = [
    ' ',
    '\t',
    ':',
    '\r\n',
    '\n',
    '0',
    'a',
    'Content-Length: 3\r\n',
    ', ',
    '\0',
    'chunked',
    '"',
  ];
  let taken = 0;
  try {
    for (let round = 0; round < 3_000; round += 1) {
      const usual = `${USUAL.join('\r\n')}\r\n\r\n`;
      const at = random(usual.length - 4);
      const text = usual.slice(0, at) + pieces[random(pieces.length)]! + usual.slice(at + random(2));
      const head = readBeatHead(Buffer.from(`${text}{}`, 'latin1'));
      if (head === null) continue;
      taken += 1;
      const request = await readByHttp(`${text}${' '.repeat(head.bodyBytes)}`);
      expect([text, request?.method]).toEqual([text, 'POST']);
      const { headers, url } = request as IncomingMessage;
      expect(beatAddressOf('POST', url)).toEqual(head.address);
      expect(Number(headers['content-length'])).toBe(head.bodyBytes);
      expect(tokenHash(credentialOf(headers.authorization ?? '')!)).toBe(head.tokenHash);
      expect(headers['content-type']).toBe('application/json');
      expect(headers['transfer-encoding']).toBeUndefined();
    }
    expect(taken).toBeGreaterThan(100);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});
