/** What `npm start` takes: a bad flag or variable is a sentence that names it, what it got and what it takes. */
import path from 'node:path';
import { readStartSettings, type StartFlags } from '../../cli/start/settings';
import { testServers } from '../harness/servers';

const read = (flags: StartFlags, env: NodeJS.ProcessEnv = {}) => readStartSettings(flags, env);

test('nothing set: everything embedded, the rest as the state decides', () => {
  expect(read({})).toMatchObject({
    fresh: false,
    agents: null,
    speed: null,
    traces: null,
    databaseUrl: null,
    temporal: null,
    aws: null,
    host: '127.0.0.1',
  });
});

test.each<[StartFlags, string]>([
  [{ agents: 'four' }, 'The flag --agents got "four"; it takes a whole number from 0 to 100.'],
  [{ agents: '-1' }, 'The flag --agents got "-1"; it takes a whole number from 0 to 100.'],
  [{ agents: '1.5' }, 'The flag --agents got "1.5"; it takes a whole number from 0 to 100.'],
  [{ agents: '' }, 'The flag --agents got ""; it takes a whole number from 0 to 100.'],
  [{ agents: '101' }, 'The flag --agents got "101"; it takes a whole number from 0 to 100.'],
  [{ speed: '0' }, 'The flag --speed got "0"; it takes a number from 1 to 10000.'],
  [{ speed: '1e3' }, 'The flag --speed got "1e3"; it takes a number from 1 to 10000.'],
  [{ speed: 'Infinity' }, 'The flag --speed got "Infinity"; it takes a number from 1 to 10000.'],
])('%j is refused', (flags, sentence) => {
  expect(() => read(flags)).toThrow(sentence);
});

test('a traces folder that is none is refused, and a relative one is relative to where npm was called', () => {
  expect(() => read({ traces: '/no/such' })).toThrow(
    'The flag --traces got "/no/such"; it takes a folder of recorded markets, and /no/such is none.',
  );
  const { folder } = testServers();
  const env = { npm_lifecycle_event: 'start', INIT_CWD: path.dirname(folder) };
  expect(read({ traces: path.basename(folder) }, env).traces).toBe(folder);
});

test.each<[string, string, string]>([
  ['DATABASE_URL', 'mysql://localhost/x', 'it takes the address of a PostgreSQL database'],
  ['DATABASE_URL', 'postgres://[', 'it takes the address of a PostgreSQL database'],
  ['TEMPORAL_ADDRESS', 'localhost', 'it takes host:port of a Temporal server'],
  ['TEMPORAL_ADDRESS', 'http://localhost:7233', 'it takes host:port of a Temporal server'],
  ['TEMPORAL_NAMESPACE', 'two words', 'it takes the name of a Temporal namespace'],
  ['TEMPORAL_TLS_CA_FILE', '/no/such.pem', 'it takes the path of a file that exists'],
  ['AWS_REGION', 'US East', 'it takes a region such as us-east-1'],
  ['AWS_REGIONS', 'us-east-1, us-west-2', 'it takes regions such as'],
  ['AWS_ACCOUNT_ID', '12', 'it takes the twelve digits'],
  ['API_PUBLIC_URL', 'ftp://x', 'it takes the address at which instances reach the API'],
])('%s=%s is refused', (name, value, takes) => {
  expect(() => read({}, { [name]: value })).toThrow(
    new RegExp(`The environment variable ${name} is not usable: got ".+"; ${takes}`),
  );
});

test('a password in a bad address is not repeated', () => {
  expect(() => read({}, { DATABASE_URL: 'mysql://me:geheim@host/x' })).toThrow(/^(?!.*geheim).*\(hidden\)/);
});

test('all bad variables are told at once', () => {
  expect(() => read({}, { DATABASE_URL: 'x', TEMPORAL_ADDRESS: 'y' })).toThrow(
    /DATABASE_URL[\s\S]*TEMPORAL_ADDRESS/,
  );
});

test('a TLS certificate without its key is refused', () => {
  const env = { TEMPORAL_ADDRESS: 'localhost:7233', TEMPORAL_TLS_CERT_FILE: __filename };
  expect(() => read({}, env)).toThrow('belong together');
});

test('a region and credentials switch to the real AWS, which takes the account', () => {
  const env = { AWS_REGION: 'eu-west-1', AWS_PROFILE: 'fleet' };
  expect(() => read({}, env)).toThrow('AWS_ACCOUNT_ID is not set; it takes the twelve digits');
  expect(read({}, { ...env, AWS_ACCOUNT_ID: '123456789012' }).aws).toEqual({
    accountId: '123456789012',
    regions: 'eu-west-1',
  });
  expect(read({}, { AWS_REGION: 'eu-west-1' }).aws).toBeNull();
});
