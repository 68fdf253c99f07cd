/** What a switch knows of its plan, its attempts and what it was told. */
import type { SwitchInput } from '../../contracts/messages';
import { DEFAULT_POLICY } from '../../contracts/policy-defaults';
import type { Pool } from '../../contracts/states';
import { SwitchState } from '../../workflows/switch-state';
import { instanceFacts } from '../harness/instance-facts';

const pool = (zone: string, option: Pool['option'] = 'spot'): Pool => ({
  instanceType: 'p3.2xlarge',
  zone,
  option,
});

function manual(): SwitchState {
  const input: SwitchInput = {
    clientId: 'c1',
    agentId: 'a1',
    logicalAgentId: 'web-1',
    switchNumber: 1,
    fromIncarnation: 1,
    from: instanceFacts('i-1'),
    reason: 'a person asked',
    priority: 'manual',
    targetMode: null,
    targetPool: pool('b'),
    imageId: null,
    policy: DEFAULT_POLICY,
  };
  return new SwitchState(input);
}

const plan = (...pools: Pool[]) => ({ pools, imageId: 'ami-1', reason: '' });

it('tries each pool of its plan once', () => {
  const state = manual();
  state.takePlan(plan(pool('b'), pool('c')), state.priority);
  expect(state.untried()).toEqual(pool('b'));
  state.begin(pool('b'), 'l1');
  expect(state.untried()).toEqual(pool('c'));
  state.begin(pool('c'), 'l2');
  expect(state.untried()).toBeNull();
});

it('needs another plan once it has become an emergency, and does not repeat what was tried', () => {
  const state = manual();
  expect(state.needsPlan).toBe(true);
  state.takePlan(plan(pool('b')), state.priority);
  state.begin(pool('b'), 'l1');
  expect(state.needsPlan).toBe(false);
  state.notice({ instanceId: 'i-1', role: 'primary', message: 'EC2 will terminate i-1' });
  expect(state.needsPlan).toBe(true);
  state.takePlan(plan(pool('b'), pool('c'), pool('b', 'ondemand')), state.priority);
  expect(state.needsPlan).toBe(false);
  expect(state.untried()).toEqual(pool('c'));
});

it('gives an attempt up when its instance was given notice, before or after the launch was reported', () => {
  const state = manual();
  const attempt = state.begin(pool('b'), 'l1');
  state.candidateRegistered({ instanceId: 'i-2', launchId: 'l1', healthy: true });
  expect(state.healthyCandidate(attempt)).toBe('i-2');
  expect(state.lost(attempt)).toBeNull();
  state.notice({ instanceId: 'i-2', role: 'candidate', message: 'EC2 will terminate i-2' });
  expect(state.lost(attempt)).toBe('EC2 will terminate i-2');
});

it('takes a candidate for healthy only as long as it says so', () => {
  const state = manual();
  const attempt = state.begin(pool('b'), 'l1');
  state.candidateRegistered({ instanceId: 'i-2', launchId: 'l1', healthy: true });
  state.candidateRegistered({ instanceId: 'i-2', launchId: 'l1', healthy: false });
  expect(state.healthyCandidate(attempt)).toBeNull();
});

it('remembers the first reason to stop', () => {
  const state = manual();
  state.cancel('first');
  state.cancel('second');
  expect(state.lost(state.begin(pool('b'), 'l1'))).toBe('first');
});
