/** Before all test files: builds dist/ and starts the shared servers, unless an enclosing run has handed its own down. */
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { ROOT, type RunningServers, areHandedDown, startServers } from './servers';

export default async function globalSetup(): Promise<void> {
  execFileSync(process.execPath, [path.join(ROOT, 'bin', 'build.mjs')], { stdio: 'inherit' });
  if (areHandedDown()) return;
  (globalThis as { testServers?: RunningServers }).testServers = await startServers();
}
