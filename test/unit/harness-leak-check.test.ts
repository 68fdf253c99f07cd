/** The check that no test file leaves anything behind can fail: each fixture leaves one kind of thing. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { ROOT } from '../harness/servers';

const FIXTURES = path.join('test', 'harness', 'fixtures');

/** Runs one fixture under a jest of its own that shares this run's servers. */
function runFixture(name: string): Promise<{ code: number; output: string }> {
  const jest = path.join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js');
  const args = [jest, '--config', path.join(FIXTURES, 'jest.config.mjs'), '--runInBand', '--forceExit', name];
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      args,
      { cwd: ROOT, env: { ...process.env, CI: 'true' } },
      (error, _stdout, stderr) => {
        resolve({ code: error ? Number(error.code) : 0, output: stderr });
      },
    );
  });
}

test.each([
  ['leaks-child', /left behind:\s+- the process \d+ \(sleep 300\)/],
  ['leaks-orphan', /left behind:\s+- the process \d+ \(sleep 301\)/],
  ['leaks-connection', /left behind:\s+- connections to its database test_\w+: forgotten/],
  ['leaks-database', /left behind:\s+- its database test_\w+/],
  ['leaks-server', /left behind:\s+- 1 open TCPServerWrap/],
])('%s fails its file', async (fixture, message) => {
  const { code, output } = await runFixture(fixture);
  expect(output).toMatch(message);
  expect(code).toBe(1);
});

test('a file that closes what it opens passes', async () => {
  const { code, output } = await runFixture('leaks-nothing');
  expect(output).toContain('1 passed');
  expect(code).toBe(0);
});
