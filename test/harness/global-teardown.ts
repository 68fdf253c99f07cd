/** After all test files: ends what global-setup started. */
import type { RunningServers } from './servers';

export default async function globalTeardown(): Promise<void> {
  await (globalThis as { testServers?: RunningServers }).testServers?.stop();
}
