import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { readEnvironment } from '../../contracts/environment';
import { connectionOptions, temporalVariables } from '../../temporal/settings';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'spotkeeper-tls-'));
  for (const name of ['cert', 'key', 'ca']) {
    writeFileSync(path.join(folder, name), `-----BEGIN ${name.toUpperCase()}-----\n`);
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

const read = (environment: Record<string, string>) =>
  connectionOptions(readEnvironment(z.object(temporalVariables), environment));
const file = (name: string) => path.join(folder, name);
const ADDRESS = { TEMPORAL_ADDRESS: 'temporal.example.com:7233' };

test('without TLS there is only the address', () => {
  expect(read(ADDRESS)).toEqual({ address: 'temporal.example.com:7233' });
});

test('a pair of files and an authority make mutual TLS', () => {
  const options = read({
    ...ADDRESS,
    TEMPORAL_TLS_CERT_FILE: file('cert'),
    TEMPORAL_TLS_KEY_FILE: file('key'),
    TEMPORAL_TLS_CA_FILE: file('ca'),
  });
  expect(options.tls).toEqual({
    clientCertPair: { crt: Buffer.from('-----BEGIN CERT-----\n'), key: Buffer.from('-----BEGIN KEY-----\n') },
    serverRootCACertificate: Buffer.from('-----BEGIN CA-----\n'),
  });
});

test('an API key switches TLS on', () => {
  expect(read({ ...ADDRESS, TEMPORAL_API_KEY: 'secret' })).toEqual({
    address: 'temporal.example.com:7233',
    apiKey: 'secret',
    tls: true,
  });
});

test.each([
  [{ TEMPORAL_ADDRESS: 'http://x' }, /TEMPORAL_ADDRESS is not usable: got "http:\/\/x"; it takes/],
  [{ ...ADDRESS, TEMPORAL_NAMESPACE: 'a b' }, /TEMPORAL_NAMESPACE is not usable: got "a b"/],
  [{ ...ADDRESS, TEMPORAL_TLS_CERT_FILE: 'x' }, /TEMPORAL_TLS_KEY_FILE is not set/],
  [{ ...ADDRESS, TEMPORAL_TLS_KEY_FILE: 'x' }, /TEMPORAL_TLS_CERT_FILE is not set/],
  [
    { ...ADDRESS, TEMPORAL_TLS_CA_FILE: '/nowhere' },
    /TEMPORAL_TLS_CA_FILE is not usable: \/nowhere can't be read/,
  ],
])('%j is refused', (environment, sentence) => {
  expect(() => read(environment as Record<string, string>)).toThrow(sentence);
});
