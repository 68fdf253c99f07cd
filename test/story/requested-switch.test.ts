/** A person moves a healthy agent: the new machine is healthy before the old one is touched, and that waits its time. */
import { type RunningAgent, System } from '../harness/system';

let system: System;

beforeAll(async () => {
  system = await System.start({ policy: { terminateWaitSeconds: 20 } });
}, 120_000);
afterAll(() => system?.stop());

it('moves an agent, keeps its id, and retires the old machine after the wait, over a restart of every process', async () => {
  const agent = await system.agent('moved');
  const request = { target_mode: 'spot', request_id: 'move-1' };
  const accepted = await system.call('POST', `agents/${agent.agentId}/switch`, request);
  expect(accepted).toMatchObject({
    status: 202,
    body: { switch_number: 1, switch_workflow_id: `switch:${agent.agentId}:1` },
  });

  await agent.event('candidate_registered');
  const cutOver = await agent.event('cut_over');
  await agent.event('switch_completed');
  const moved = await agent.state();
  expect(moved).toMatchObject({
    agentId: agent.agentId,
    incarnation: 2,
    status: 'online',
    primary: { mode: 'spot' },
  });
  expect(moved.primary?.instanceId).toBe(cutOver.instance_id);
  expect(moved.primary?.instanceId).not.toBe(agent.firstInstanceId);
  await makeBeforeBreak(agent);

  const [old] = await agent.instances();
  expect(old).toMatchObject({
    id: agent.firstInstanceId,
    instance_status: 'zombie',
    termination_confirmed: false,
  });
  await Promise.all([system.worker.kill(), system.api.kill(), system.simulator.kill()]);
  await system.simulator.restart();
  await Promise.all([system.worker.restart(), system.api.restart()]);

  const terminated = await agent.event('instance_terminated');
  expect(terminated.instance_id).toBe(agent.firstInstanceId);
  const { rows } = await system.sql.query<{ zombie_since: Date; termination_attempted_at: Date }>(
    'select zombie_since, termination_attempted_at from instances where id = $1',
    [agent.firstInstanceId],
  );
  const waitedMs = rows[0]!.termination_attempted_at.getTime() - rows[0]!.zombie_since.getTime();
  expect(waitedMs).toBeGreaterThanOrEqual(20_000);
  // Had the restart begun the wait anew, it would be longer by the time that went before the restart and by the restart.
  expect(waitedMs).toBeLessThan(35_000);
  expect(await agent.state()).toMatchObject({ incarnation: 2, status: 'online' });
  expect((await agent.instances())[0]).toMatchObject({
    instance_status: 'terminated',
    termination_confirmed: true,
  });
}, 120_000);

it('tells the superseded agent to stand down, and its process ends for good', async () => {
  const agent = await system.agent('fenced');
  await system.call('POST', `agents/${agent.agentId}/switch`, { request_id: 'move-2' });
  await agent.event('cut_over');
  const ended = await system.control(
    `events/wait?kind=agent-ended&instance_id=${agent.firstInstanceId}&timeout_seconds=30`,
  );
  expect(ended).toMatchObject({ description: 'it exited with 0' });
}, 60_000);

it('answers the same request with the same switch, and another one with 409 and the id of the one that runs', async () => {
  const agent = await system.agent('asked-twice');
  await system.control('faults', { action: 'RunInstances', kind: 'hang' });
  const calls = await system.callsSoFar();
  const first = await system.call('POST', `agents/${agent.agentId}/switch`, { request_id: 'same' });
  await system.callArrives('RunInstances', calls);
  const again = await system.call('POST', `agents/${agent.agentId}/switch`, { request_id: 'same' });
  expect(again).toEqual(first);
  const other = await system.call('POST', `agents/${agent.agentId}/switch`, { request_id: 'other' });
  expect(other).toMatchObject({ status: 409, body: { switch_workflow_id: `switch:${agent.agentId}:1` } });
  await system.control('faults/release', {});
  await agent.event('switch_completed');
}, 60_000);

/** The old instance was there until after the cut-over: nothing asked for its end before. */
async function makeBeforeBreak(agent: RunningAgent): Promise<void> {
  const old = (await agent.cloudInstances()).find((one) => one.instance_id === agent.firstInstanceId);
  expect(old?.state).toBe('running');
  const terminations = (await system.control('calls?action=TerminateInstances')) as unknown as unknown[];
  expect(terminations).toEqual([]);
}
