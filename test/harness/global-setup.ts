/** Before all test files: builds dist/ and starts the shared servers, unless an enclosing run has handed its own down. */
import type { Config } from '@jest/types';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { pythonEnvironment } from './python-environment';
import { ROOT, type RunningServers, areHandedDown, startServers } from './servers';

export default async function globalSetup(config: Config.GlobalConfig): Promise<void> {
  execFileSync(process.execPath, [path.join(ROOT, 'bin', 'build.mjs')], { stdio: 'inherit' });
  if (areHandedDown()) return;
  const [servers] = await Promise.all([startServers(), config.nonFlagArgs.length === 0 && installPython()]);
  (globalThis as { testServers?: RunningServers }).testServers = servers;
}

/** Ahead of a whole run, since an install would disturb tests that measure time. A run of chosen files installs on demand. */
async function installPython(): Promise<void> {
  try {
    await pythonEnvironment();
  } catch (error) {
    // The other tests can do without; those that can't will fail with this sentence.
    console.error((error as Error).message);
  }
}
