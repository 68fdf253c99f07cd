/** `spotkeeper bench reads` and `bench samples`, small: what they print, and that nothing is left. Figures are not judged here. */
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { newStateFolder } from '../harness/launcher';
import { ROOT } from '../harness/servers';
import { MARK_VARIABLE, testFile } from '../harness/test-file';

async function bench(...args: string[]) {
  const folder = newStateFolder();
  const script = path.join(ROOT, 'bin', 'spotkeeper.mjs');
  const { stdout } = await promisify(execFile)(process.execPath, [script, 'bench', ...args, '--json'], {
    env: { ...process.env, SPOTKEEPER_STATE_DIR: folder, [MARK_VARIABLE]: testFile().mark },
  });
  expect(readdirSync(folder).filter((name) => name.startsWith('bench-'))).toEqual([]);
  return JSON.parse(stdout) as Record<string, unknown>;
}

test('each read of a fleet is answered', async () => {
  const figures = await bench('reads', '--agents', '20', '--requests', '2', '--rate', '100');
  expect(figures).toMatchObject({ agents: 20, requests: 2, failures: {} });
  const reads = Object.values(figures['reads'] as Record<string, { p50_ms: number; bytes: number }>);
  expect(reads.length).toBeGreaterThan(20);
  for (const read of reads)
    expect(read).toMatchObject({ p50_ms: expect.any(Number), bytes: expect.any(Number) });
});

test('samples take less than 200 bytes each', async () => {
  const figures = await bench('samples', '--agents', '100');
  expect(figures).toMatchObject({ agents: 100, interval_seconds: 30 });
  expect(figures['bytes_per_sample']).toBeLessThan(200);
  expect(figures['bytes_per_step']).toBeLessThan(250);
  expect(figures['bytes_per_hour']).toBeLessThan(250);
});
