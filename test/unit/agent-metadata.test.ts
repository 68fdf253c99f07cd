/** The metadata client against a service that behaves as EC2's documentation says, where the simulated one is kinder. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Metadata } from '../../agent/metadata';

let server: Server;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let metadata: Metadata;
let tokens = 0;

beforeAll(async () => {
  server = createServer((request, response) => {
    if (request.url === '/prefix/latest/api/token') {
      expect(request.method).toBe('PUT');
      expect(Number(request.headers['x-aws-ec2-metadata-token-ttl-seconds'])).toBeLessThanOrEqual(21_600);
      response.end(`token-${++tokens}`);
    } else answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

beforeEach(() => {
  tokens = 0;
  metadata = new Metadata(`http://127.0.0.1:${(server.address() as AddressInfo).port}/prefix/`);
});

afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const status = (response: ServerResponse, code: number) => {
  response.statusCode = code;
  response.end();
};

test('a token that has expired is replaced, once', async () => {
  answer = (request, response) => {
    if (request.headers['x-aws-ec2-metadata-token'] === 'token-1') status(response, 401);
    else response.end('{"noticeTime":"2026-01-01T00:00:00Z"}');
  };
  expect(await metadata.rebalanceNoticeTime()).toBe('2026-01-01T00:00:00Z');
  expect(await metadata.rebalanceNoticeTime()).toBe('2026-01-01T00:00:00Z');
  expect(tokens).toBe(2);
  answer = (_request, response) => status(response, 401);
  await expect(metadata.rebalanceNoticeTime()).rejects.toThrow(/401/);
  expect(tokens).toBe(3);
});

test('what is not there is null, and a notice of a kind we do not know is taken for the worst', async () => {
  answer = (_request, response) => status(response, 404);
  expect(await metadata.instanceAction()).toBeNull();
  expect(await metadata.userData()).toBeNull();
  answer = (_request, response) => response.end('{"action":"evaporate","time":"2026-01-01T00:00:00Z"}');
  expect(await metadata.instanceAction()).toEqual({ action: 'terminate', time: '2026-01-01T00:00:00Z' });
});

test('a service that says nothing is given up after two seconds', async () => {
  answer = () => undefined;
  await expect(metadata.userData()).rejects.toThrow(/no reply within 2 s/);
});

test('an identity without its zone is none', async () => {
  answer = (request, response) => {
    if (request.url?.includes('document')) {
      response.end('{"instanceId":"i-1","instanceType":"p3","region":"us-east-1"}');
    } else status(response, 404);
  };
  await expect(metadata.identity()).rejects.toThrow(/no availabilityZone/);
});
