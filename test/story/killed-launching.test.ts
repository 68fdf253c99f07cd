/**
 * kill -9 in the middle of a switch, up to its candidate. Whatever the step, the outcome is that of an undisturbed switch.
 */
import { after, atCloud, atDatabase, killedAt, startWithHolds } from '../harness/holds';
import type { System } from '../harness/system';

let system: System;

beforeAll(async () => {
  system = await startWithHolds();
}, 120_000);
afterAll(() => system?.stop());

it.each([
  ['the market is being looked at', () => atCloud(system, 'DescribeSpotPriceHistory', 'hang')],
  ['the launch intent is being written', () => atDatabase(system, 'launch_intent')],
  ['RunInstances is under way, without effect yet', () => atCloud(system, 'RunInstances', 'hang')],
  ['RunInstances has launched, but has not answered', () => atCloud(system, 'RunInstances', 'hang-after')],
  ['the new instance boots', () => after('instance_launched')],
  ['the candidate is being written into the books', () => atDatabase(system, 'candidate_registered')],
  ['the candidate has registered', () => after('candidate_registered')],
])('the worker killed while %s', (step, hold) => killedAt(system, step, hold(), 'worker'), 120_000);
