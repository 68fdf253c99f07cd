/** `spotkeeper bench heartbeats`, small: what it prints, and that it counts what it says. Its figures are not judged here. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { newStateFolder } from '../harness/launcher';
import { ROOT } from '../harness/servers';
import { MARK_VARIABLE, testFile } from '../harness/test-file';

async function bench(stateFolder: string, ...args: string[]) {
  const child = spawn(
    process.execPath,
    [path.join(ROOT, 'bin', 'spotkeeper.mjs'), 'bench', 'heartbeats', ...args],
    {
      env: { ...process.env, SPOTKEEPER_STATE_DIR: stateFolder, [MARK_VARIABLE]: testFile().mark },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null]>,
  ]);
  return { code, stdout, stderr };
}

test('prints one line of JSON, with as many rows as heartbeats were acknowledged', async () => {
  const folder = newStateFolder();
  const flags = ['--agents', '40', '--registered', '100', '--rate', '100', '--seconds', '2', '--intake-only'];
  const { code, stdout, stderr } = await bench(folder, ...flags, '--json');
  expect({ code, stderr }).toMatchObject({ code: 0 });
  const figures = JSON.parse(stdout) as Record<string, unknown>;
  const milliseconds = expect.any(Number) as number;
  expect(figures).toMatchObject({
    heartbeats_per_s: expect.any(Number),
    p50_ms: milliseconds,
    p99_ms: milliseconds,
    agents: 40,
    registered_agents: 100,
    naive_signals_per_s: null,
    times_naive: null,
    outage: null,
    temporal_events_per_agent_day: null,
    hot_update_share: expect.any(Number),
    failures: {},
  });
  // Five seconds of warming up, and two of the run.
  expect(figures.acknowledged).toBe(700);
  expect(figures.rows_counted).toBe(figures.acknowledged);
  expect(figures.heartbeats_per_s).toBeGreaterThan(0);
  expect(stdout.trimEnd()).not.toContain('\n');
  expect(readdirSync(folder)).toEqual([]);
});

test.each([
  [['--agents', '0'], /^The flag --agents is not usable: got "0"; it takes a whole number from 1 to/],
  [['--agents', '10', '--registered', '5'], /^The flag --registered is not usable: 5 agents can't be fewer/],
  [['--outage', '0'], /^The flag --outage is not usable: got "0"/],
])('refuses %j', async (flags, sentence) => {
  const { code, stdout, stderr } = await bench(newStateFolder(), ...flags);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(sentence);
});
