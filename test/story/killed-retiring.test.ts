/**
 * kill -9 in the middle of a switch, from the cut-over on; and of the API and the agents. Whatever the step, the outcome is that of an undisturbed switch.
 */
import { after, atCloud, atDatabase, killedAt, settled, startWithHolds } from '../harness/holds';
import type { System } from '../harness/system';

let system: System;

beforeAll(async () => {
  system = await startWithHolds();
}, 120_000);
afterAll(() => system?.stop());

it.each([
  ['the cut-over is being committed', () => atDatabase(system, 'cut_over')],
  ['the cut-over is committed', () => after('cut_over')],
  ['the end of the switch is being written', () => atDatabase(system, 'switch_completed')],
  ['the zombie waits', () => after('switch_completed')],
  [
    'TerminateInstances is under way, without effect yet',
    () => atCloud(system, 'TerminateInstances', 'hang'),
  ],
  [
    'TerminateInstances has taken effect, but has not answered',
    () => atCloud(system, 'TerminateInstances', 'hang-after'),
  ],
  ['the termination is being proved', () => atCloud(system, 'DescribeInstances', 'hang')],
  ['the proof is being written', () => atDatabase(system, 'instance_terminated')],
])('the worker killed while %s', (step, hold) => killedAt(system, step, hold(), 'worker'), 120_000);

it.each([
  ['RunInstances has launched, but has not answered', () => atCloud(system, 'RunInstances', 'hang-after')],
  ['the new instance boots', () => after('instance_launched')],
  ['the candidate has registered', () => after('candidate_registered')],
  ['the cut-over is committed', () => after('cut_over')],
])('the API killed while %s', (step, hold) => killedAt(system, step, hold(), 'api'), 120_000);

it('the agent killed on both machines in the middle of a switch', async () => {
  const agent = await system.agent('both-killed');
  await system.call('POST', `agents/${agent.agentId}/switch`, {});
  const launched = await agent.event('candidate_registered');
  await system.control(`instances/${agent.firstInstanceId}/crash`, {});
  await system.control(`instances/${launched.instance_id}/crash`, {});
  await settled(system, agent);
}, 120_000);
