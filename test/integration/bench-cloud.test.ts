/** `spotkeeper bench cloud`, small: what it prints, what it refuses, what it leaves behind. Its figures are not judged here. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { newStateFolder } from '../harness/launcher';
import { ROOT } from '../harness/servers';
import { MARK_VARIABLE, testFile } from '../harness/test-file';

const state = newStateFolder;

function bench(stateFolder: string, ...args: string[]) {
  const child = spawn(process.execPath, [path.join(ROOT, 'bin', 'spotkeeper.mjs'), 'bench', ...args], {
    env: { ...process.env, SPOTKEEPER_STATE_DIR: stateFolder, [MARK_VARIABLE]: testFile().mark },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return { child, result: ended(child) };
}

async function ended(child: ReturnType<typeof spawn>) {
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout!),
    text(child.stderr!),
    once(child, 'close') as Promise<[number | null]>,
  ]);
  return { code, stdout, stderr };
}

test('prints one line of JSON, having launched and described as many as asked', async () => {
  const folder = state();
  const { code, stdout, stderr } = await bench(folder, 'cloud', '--json', '--instances', '20').result;
  expect({ code, stderr }).toMatchObject({ code: 0 });
  const milliseconds = expect.any(Number) as number;
  expect(JSON.parse(stdout)).toEqual({
    instances: 20,
    launches_per_s: expect.any(Number),
    launch_ms: { p50: milliseconds, p99: milliseconds },
    launches_late: expect.any(Number),
    page_ms: { p50: milliseconds, p99: milliseconds, max: milliseconds },
    pages: 100,
    machine: expect.stringMatching(/^\d+ × .*Node \d+/),
    failures: {},
  });
  expect(stdout.trimEnd()).not.toContain('\n');
  expect(readdirSync(folder)).toEqual([]);
});

test('without --json it prints a table', async () => {
  const { code, stdout } = await bench(state(), 'cloud', '--instances', '5', '--rate', '100').result;
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /5 instances in the books[\s\S]+page of DescribeInstances +[\d.]+ ms +[\d.]+ ms +[\d.]+ ms/,
  );
});

test.each([
  [['--instances', '0'], /^The flag --instances is not usable: got "0"; it takes a whole number from 1 to/],
  [['--rate', 'fast'], /^The flag --rate is not usable: got "fast"; it takes a whole number from 1 to/],
  [['--rate'], /argument missing/],
  [['--speed', '2'], /^Unknown option '--speed'/],
  [['more'], /too many arguments/i],
])('refuses %j', async (flags, sentence) => {
  const { code, stdout, stderr } = await bench(state(), 'cloud', ...flags).result;
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(sentence);
});

describe('cut short', () => {
  /** A bench that launches for as long as it is let. */
  async function launching(folder: string) {
    const { child, result } = bench(folder, 'cloud', '--json', '--instances', '1000', '--rate', '1');
    await new Promise<void>((resolve) => {
      let said = '';
      child.stderr!.on('data', (data: Buffer) => {
        said += data.toString();
        if (said.includes('Launching')) resolve();
      });
    });
    return { child, result };
  }

  test('a Ctrl-C ends the cloud too, and removes its state', async () => {
    const folder = state();
    const { child, result } = await launching(folder);
    child.kill('SIGINT');
    const { code, stdout, stderr } = await result;
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/The bench was ended by SIGINT before it had figures\./);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a cloud that dies is a failure, said in a sentence', async () => {
    const folder = state();
    const { result } = await launching(folder);
    const [lock] = readdirSync(folder).map((name) => path.join(folder, name, 'cloud', 'simulator.lock'));
    process.kill(Number(/\d+/.exec(readFileSync(lock!, 'utf8'))![0]), 'SIGKILL');
    const { code, stdout, stderr } = await result;
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/The bench's simulated cloud ended by SIGKILL\./);
    expect(readdirSync(folder)).toEqual([]);
  });
});
