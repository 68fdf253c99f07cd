/** A simulated cloud of a test file's own, its state in the file's folder. */
import path from 'node:path';
import { type ReadyMessages, startProcess, type TestProcess } from './processes';
import { testServers } from './servers';
import { MARK_VARIABLE, testFile } from './test-file';

export type Simulator = TestProcess<ReadyMessages['simulator']>;

let count = 0;

export function startSimulator(...args: string[]): Promise<Simulator> {
  const state = path.join(testServers().folder, testFile().mark, `cloud-${++count}`);
  // Agents get nothing of this process's environment but the mark by which the leak check finds them.
  // While a clock stands still nothing would ever be seen, unless it is seen at once.
  const sight = args.includes('--paused-clock') ? ['--consistency-seconds', '0'] : [];
  const own = ['--state', state, '--pass-environment', MARK_VARIABLE, ...sight];
  return startProcess('simulator', {}, [...own, ...args]);
}
