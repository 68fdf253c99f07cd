/** What the API and the seeding of a client say when they can't start. */
import { spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { NOWHERE } from '../harness/running-api';
import { ROOT } from '../harness/servers';

function run(script: string, env: Record<string, string>, args: string[] = []) {
  const { status, stderr } = spawnSync(process.execPath, [path.join(ROOT, 'dist', script), ...args], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, ...env },
    timeout: 20_000,
  });
  return { status, stderr };
}

const NEEDED = { DATABASE_URL: `postgres://${NOWHERE}/x`, TEMPORAL_ADDRESS: NOWHERE };

test('each unusable variable has a sentence with what it got and takes, and the code is 2', () => {
  const { status, stderr } = run('api/main.js', {
    DATABASE_URL: 'mysql://user:hush@host/x',
    TEMPORAL_ADDRESS: 'somewhere',
    PORT: '70000',
    HEARTBEAT_SIGNALS: 'some',
    SPOTKEEPER_SPEED: '0',
    TEMPORAL_UI_URL: 'ui',
    LOG_LEVEL: 'loud',
  });
  expect(status).toBe(2);
  const sentences = stderr.trim().split('\n');
  for (const [name, got] of [
    ['DATABASE_URL', 'mysql://user:(hidden)@host/x'],
    ['TEMPORAL_ADDRESS', 'somewhere'],
    ['PORT', '70000'],
    ['HEARTBEAT_SIGNALS', 'some'],
    ['SPOTKEEPER_SPEED', '0'],
    ['TEMPORAL_UI_URL', 'ui'],
    ['LOG_LEVEL', 'loud'],
  ]) {
    const start = `The environment variable ${name} is not usable: got "${got}"; it takes `;
    expect(sentences.filter((sentence) => sentence.startsWith(start))).toHaveLength(1);
  }
  expect(run('api/main.js', {}).stderr).toMatch(
    /DATABASE_URL is not usable: it is not set; it takes the address/,
  );
});

test('half a client certificate is refused', () => {
  const { status, stderr } = run('api/main.js', { ...NEEDED, TEMPORAL_TLS_CERT_FILE: '/nowhere' });
  expect([status, stderr]).toEqual([2, expect.stringContaining('TEMPORAL_TLS_KEY_FILE is not set')]);
});

test('a port that is taken is said', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as AddressInfo;
  const { status, stderr } = run('api/main.js', { ...NEEDED, PORT: String(port) });
  await new Promise((resolve) => other.close(resolve));
  expect(status).toBe(1);
  expect(stderr).toContain(`it can't listen on 127.0.0.1:${port}: another process listens there; set PORT`);
});

test('seeding names what is wrong with its flag, its variable or its database', () => {
  expect(run('db/seed-main.js', NEEDED, ['--client', 'a b'])).toEqual({
    status: 2,
    stderr: expect.stringContaining('The flag --client is not usable: got "a b"; it takes'),
  });
  expect(run('db/seed-main.js', NEEDED, ['--nothing']).status).toBe(2);
  expect(run('db/seed-main.js', {}).stderr).toMatch(/DATABASE_URL is not usable/);
  expect(run('db/seed-main.js', NEEDED)).toEqual({
    status: 1,
    stderr: expect.stringMatching(/^The client could not be made: .*ECONNREFUSED/),
  });
});
