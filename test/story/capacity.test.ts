/** What a switch does when the cloud has no room, or says no. */
import { type RunningAgent, System } from '../harness/system';

let system: System;
let earlier: RunningAgent;

beforeAll(async () => {
  system = await System.start();
}, 120_000);
afterAll(() => system?.stop());
afterEach(async () => {
  await system.control('faults/clear', {});
  await system.control('pools/release', {});
});

it('tries the next pool on a capacity error', async () => {
  const agent = await system.agent('next-pool');
  earlier = agent;
  await system.control('faults', {
    action: 'RunInstances',
    kind: 'InsufficientInstanceCapacity',
    status: 500,
  });
  await system.call('POST', `agents/${agent.agentId}/switch`, {});
  await agent.event('pool_refused');
  await agent.event('switch_completed');
  const { attempts } = await agent.switchState(1);
  expect(attempts).toHaveLength(2);
  expect(attempts[0]).toMatchObject({
    instanceId: null,
    result: expect.stringContaining('InsufficientInstanceCapacity'),
  });
  expect(attempts[1]!.pool).not.toEqual(attempts[0]!.pool);
  expect((await agent.state()).primary?.zone).toBe(attempts[1]!.pool.zone);
});

it('goes on-demand when no spot is left anywhere', async () => {
  const agent = await system.agent('no-spot');
  await system.control('pools/take', { instance_type: 'p3.2xlarge', option: 'spot' });
  await agent.event('termination_notice');
  // The earlier agent loses its machine, too; its launches should not meet the next test's fault.
  await Promise.all([agent.event('switch_completed'), earlier.event('switch_completed')]);
  expect((await agent.state()).primary).toMatchObject({ mode: 'ondemand' });
  const { rows } = await system.sql.query(
    `select outcome, mode from launch_intents where agent_id = $1 order by attempt`,
    [agent.agentId],
  );
  expect(rows.at(-1)).toEqual({ outcome: 'launched', mode: 'ondemand' });
  expect(rows.slice(0, -1).every((row) => row.mode === 'spot' && row.outcome === 'no_capacity')).toBe(true);
});

it('stops at once when EC2 forbids the launch, says what, and leaves the agent where it is', async () => {
  const agent = await system.agent('forbidden');
  await system.control('faults', { action: 'RunInstances', kind: 'UnauthorizedOperation', status: 403 });
  await system.call('POST', `agents/${agent.agentId}/switch`, {});
  const failed = await agent.event('switch_failed');
  expect(failed.message).toMatch(/RunInstances.*UnauthorizedOperation/);
  expect(await agent.state()).toMatchObject({
    incarnation: 1,
    activeSwitch: null,
    primary: { instanceId: agent.firstInstanceId },
  });
});
