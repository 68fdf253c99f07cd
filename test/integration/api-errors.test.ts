/** What the API says to requests that can't be taken, and that they change nothing. */
import { connect } from 'node:net';
import { NOWHERE, registerBody, type Reply, RunningApi } from '../harness/running-api';

let running: RunningApi;
let before: string;
const AGENT = '7d5cbd0a-0000-4000-8000-000000000001';

beforeAll(async () => {
  running = await RunningApi.start({ env: { TEMPORAL_ADDRESS: NOWHERE } });
  await running.bookAgent('alpha', AGENT, [{ instanceId: 'i-1', role: 'primary', incarnation: 1 }]);
  before = await running.contents();
});

afterAll(() => running.stop());

// Whatever was refused has changed nothing.
afterEach(async () => expect(await running.contents()).toBe(before));

function expectProblem(reply: Reply, status: number, code: string): void {
  expect({ status: reply.status, code: reply.body.code }).toEqual({ status, code });
  expect(reply.headers.get('content-type')).toBe('application/problem+json');
  expect(reply.body).toEqual({
    ...reply.body,
    type: expect.any(String),
    title: expect.any(String),
    status,
    detail: expect.stringMatching(/\w.*\.$/s),
  });
}

const heartbeat = `/api/agents/${AGENT}/heartbeat`;
const register = '/api/agents/register';
const notice = `/api/agents/${AGENT}/termination-imminent`;
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe('who asks', () => {
  const endpoints: [string, string][] = [
    ['POST', heartbeat],
    ['POST', register],
    ['POST', notice],
    ['POST', `/api/agents/${AGENT}/switch`],
    ['POST', `/api/agents/${AGENT}/keep-alive`],
    ['GET', `/api/agents/${AGENT}`],
    ['GET', '/api/client/alpha/agents'],
    ['GET', '/api/clients'],
    ['POST', '/api/tokens'],
    ['GET', '/api/events'],
  ];

  test.each(endpoints)('%s %s takes a token', async (method, route) => {
    const none = await running.send(method, route, {});
    expectProblem(none, 401, 'unauthorized');
    expect(none.headers.get('www-authenticate')).toMatch(/^Bearer /);
    for (const credential of [
      'Basic YTpi',
      'Bearer',
      'Bearer skc_unknown0',
      "Bearer x' or 1=1",
      'Bearer ü',
    ]) {
      expectProblem(await running.send(method, route, { authorization: credential }), 401, 'unauthorized');
    }
  });

  test('each kind of token does its own and nothing else', async () => {
    const { alpha } = running;
    expectProblem(
      await running.call('POST', '/api/clients', alpha.client, { id: 'gamma' }),
      403,
      'forbidden',
    );
    expectProblem(await running.call('POST', '/api/tokens', alpha.user, { kind: 'admin' }), 403, 'forbidden');
    expectProblem(await running.call('POST', heartbeat, alpha.user, {}), 403, 'forbidden');
    expectProblem(await running.call('POST', heartbeat, alpha.admin, {}), 403, 'forbidden');
    expectProblem(
      await running.call('POST', register, alpha.user, registerBody('a', 'i-9')),
      403,
      'forbidden',
    );
  });

  test("another client's agents are not there", async () => {
    const { beta } = running;
    expectProblem(await running.call('GET', `/api/agents/${AGENT}`, beta.client), 404, 'not_found');
    expectProblem(await running.call('GET', '/api/client/alpha/agents', beta.client), 404, 'not_found');
    expectProblem(
      await running.call('POST', heartbeat, beta.client, { instance_id: 'i-1' }),
      404,
      'not_found',
    );
    expectProblem(await running.call('POST', heartbeat, beta.client, {}), 404, 'not_found');
    const body = { instance_id: 'i-1', action: 'terminate', time: '2026-01-01T00:00:00Z' };
    expectProblem(await running.call('POST', notice, beta.client, body), 404, 'not_found');
    expectProblem(
      await running.call('POST', `/api/agents/${AGENT}/switch`, beta.client, {}),
      404,
      'not_found',
    );
    expectProblem(
      await running.call('POST', `/api/agents/${AGENT}/keep-alive`, beta.user, {}),
      404,
      'not_found',
    );
  });
});

describe('what is asked', () => {
  test('an address or method that there is not', async () => {
    const { alpha } = running;
    expectProblem(await running.call('GET', '/api/nothing', alpha.client), 404, 'not_found');
    expectProblem(await running.call('GET', '/api/agents/none', alpha.client), 404, 'not_found');
    expectProblem(await running.call('GET', '/api/agents/%00', alpha.client), 404, 'not_found');
    expectProblem(
      await running.call('POST', '/api/agents/%00/heartbeat', alpha.client, {}),
      404,
      'not_found',
    );
    expectProblem(await running.call('GET', '/api/client/%00/agents', alpha.admin), 404, 'not_found');
    expectProblem(await running.call('GET', '/api/agents/%E0%A4%A', alpha.client), 400, 'bad_request');
    expectProblem(await running.call('DELETE', '/api/tokens/%00', alpha.admin), 404, 'not_found');
    for (const [method, route, allow] of [
      ['GET', register, 'POST'],
      ['PUT', heartbeat, 'POST'],
      ['PATCH', `/api/agents/${AGENT}`, 'DELETE, GET, HEAD'],
      ['PATCH', '/api/clients', 'GET, POST, HEAD'],
    ] as const) {
      const reply = await running.call(method, route, alpha.admin);
      expectProblem(reply, 405, 'method_not_allowed');
      expect(reply.headers.get('allow')).toBe(allow);
    }
    expectProblem(
      await running.call('GET', '/api/client/alpha/agents?limit=0', alpha.client),
      400,
      'invalid_query',
    );
    expectProblem(
      await running.call('GET', '/api/client/alpha/agents?after=%00', alpha.client),
      400,
      'invalid_query',
    );
    expectProblem(await running.call('GET', '/api/events?after=x', alpha.client), 400, 'invalid_query');
  });

  const bodies: [string, string | Buffer, number, string][] = [
    ['no JSON', '{"status":', 400, 'malformed_body'],
    ['not a number', '{"status": NaN}', 400, 'malformed_body'],
    ['not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 400, 'malformed_body'],
    ['a list', '[]', 422, 'invalid_body'],
    ['null', 'null', 422, 'invalid_body'],
    ['a field twice', '{"status":"online","status":"offline"}', 422, 'invalid_body'],
    ['a field twice, once escaped', '{"status":"online","st\\u0061tus":"offline"}', 422, 'invalid_body'],
    ['a prototype', '{"__proto__":{"status":"offline"}}', 422, 'invalid_body'],
    ['a NUL', '{"instance_type":"a\\u0000b"}', 422, 'invalid_body'],
    ['half a character', '{"az":"\\ud800"}', 422, 'invalid_body'],
    ['a NUL in an unknown field', '{"x":{"y":["\\u0000"]}}', 422, 'invalid_body'],
    ['an unknown status', '{"status":"sleeping"}', 422, 'invalid_body'],
    ['an unknown mode', '{"mode":"reserved"}', 422, 'invalid_body'],
    ['an id too long', `{"instance_id":"${'i'.repeat(129)}"}`, 422, 'invalid_body'],
    ['an id of other characters', '{"instance_id":"i-1; drop"}', 422, 'invalid_body'],
    ['a number for text', '{"instance_id":28864630}', 422, 'invalid_body'],
  ];

  test.each(bodies)('a heartbeat with %s', async (_name, body, status, code) => {
    expectProblem(await running.send('POST', heartbeat, bearer(running.alpha.client), body), status, code);
  });

  test.each(bodies.slice(0, 11))('a registration with %s', async (_name, body, status, code) => {
    expectProblem(await running.send('POST', register, bearer(running.alpha.client), body), status, code);
  });

  test('each invalid field is named', async () => {
    const body = { ...registerBody('', 'i-1'), mode: 'reserved', az: undefined };
    const reply = await running.call('POST', register, running.alpha.client, body);
    expectProblem(reply, 422, 'invalid_body');
    const fields = (reply.body.errors as { field: string }[]).map((one) => one.field);
    expect(fields.sort()).toEqual(['az', 'logical_agent_id', 'mode']);
  });

  test('notices, switches, clients and tokens with invalid fields', async () => {
    const { alpha } = running;
    const invalid: [string, string, unknown][] = [
      [notice, alpha.client, { instance_id: 'i-1', time: 'soon' }],
      [notice, alpha.client, { instance_id: 'i-1', action: 'explode', time: '2026-01-01T00:00:00Z' }],
      [notice, alpha.client, { instance_id: 'i-1', time: `${'9'.repeat(60)}` }],
      [`/api/agents/${AGENT}/switch`, alpha.client, { target_mode: 'reserved' }],
      [`/api/agents/${AGENT}/switch`, alpha.client, { target_pool_id: 'p3' }],
      [`/api/agents/${AGENT}/switch`, alpha.client, { terminate_wait_seconds: -1 }],
      [`/api/agents/${AGENT}/keep-alive`, alpha.client, { minutes: 0 }],
      [`/api/agents/${AGENT}/keep-alive`, alpha.client, { minutes: '60' }],
      ['/api/clients', alpha.admin, { id: 'a b' }],
      ['/api/clients', alpha.admin, { id: 'gamma', policy: { heartbeatIntervalSeconds: -3 } }],
      ...[
        { terminationCapShare: 1.5 },
        { terminationCapShare: -0.1 },
        { terminationCapShare: '10%' },
        { terminationCapAtLeast: 0 },
        { terminationCapAtLeast: 2.5 },
      ].map((policy): [string, string, unknown] => ['/api/clients', alpha.admin, { id: 'gamma', policy }]),
      ['/api/tokens', alpha.admin, { kind: 'agent', client_id: 'alpha' }],
      ['/api/tokens', alpha.admin, { kind: 'client' }],
    ];
    for (const [route, token, body] of invalid) {
      const reply = await running.call('POST', route, token, body);
      expect([route, body, reply.status]).toEqual([route, body, 422]);
      expectProblem(reply, 422, 'invalid_body');
    }
    expectProblem(await running.call('POST', '/api/clients', alpha.admin, { id: 'beta' }), 409, 'exists');
    const token = { kind: 'client', client_id: 'gamma' };
    expectProblem(await running.call('POST', '/api/tokens', alpha.admin, token), 404, 'not_found');
  });

  test('bodies of another type, encoding or length', async () => {
    const headers = bearer(running.alpha.client);
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'application/json; charset=latin1',
    ]) {
      const reply = await running.send('POST', heartbeat, { ...headers, 'content-type': type }, '{}');
      expectProblem(reply, 415, 'unsupported_media_type');
    }
    const zipped = await running.send('POST', register, { ...headers, 'content-encoding': 'gzip' }, 'x');
    expectProblem(zipped, 415, 'unsupported_encoding');
    const long = `{"az":"${'x'.repeat(70_000)}"}`;
    expectProblem(await running.send('POST', heartbeat, headers, long), 413, 'body_too_long');
    expectProblem(await running.send('POST', register, headers, long), 413, 'body_too_long');
  });

  test('a body that is longer than announced chunk by chunk', async () => {
    const chunk = `${(16_384).toString(16)}\r\n${'x'.repeat(16_384)}\r\n`;
    const head = `POST ${heartbeat} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${running.alpha.client}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`;
    expect(await raw(head + chunk.repeat(5))).toMatch(/^HTTP\/1\.1 413 /);
  });

  test('what is not HTTP', async () => {
    expect(await raw('HELLO\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 .*application\/problem\+json/s);
    const long = `GET /health HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`;
    expect(await raw(long)).toMatch(/^HTTP\/1\.1 431 /);
  });
});

describe('what is away', () => {
  test('without Temporal, registrations and switches are to be asked again', async () => {
    const { alpha } = running;
    const readiness = await running.call('GET', '/ready', alpha.client);
    expectProblem(readiness, 503, 'not_ready');
    expect(readiness.body.parts).toMatchObject({
      postgres: 'ok',
      temporal: expect.not.stringMatching(/^ok$/),
    });
    expect((await running.call('GET', '/health', alpha.client)).status).toBe(200);
    const reply = await running.call('POST', `/api/agents/${AGENT}/switch`, alpha.client, {});
    expect(reply.status).toBe(503);
    expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0);
  });
});

/** Everything the server sends to bytes as they are, until it closes. */
function raw(request: string): Promise<string> {
  const { hostname, port } = new URL(running.url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(request));
    let answer = '';
    socket.setEncoding('utf8').on('data', (text: string) => {
      answer += text;
      if (answer.includes('\r\n\r\n')) socket.end();
    });
    socket.once('close', () => resolve(answer));
    socket.once('error', reject);
  });
}
