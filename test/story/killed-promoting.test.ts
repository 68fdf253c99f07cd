/** kill -9 in the middle of a promotion after a notice: whatever the step, one promotion comes of it, and a new replica. */
import { after, atDatabase, type Hold, startWithHolds } from '../harness/holds';
import type { RunningAgent, System } from '../harness/system';
import { until } from '../harness/until';

let system: System;

beforeAll(async () => {
  system = await startWithHolds();
}, 120_000);
afterAll(() => system?.stop());

type MakeHold = (agent: RunningAgent) => Promise<Hold>;

async function promotedOnce(agent: RunningAgent, replicaInstance: string): Promise<void> {
  const of = async (type: string) => {
    const { rows } = await system.sql.query(
      'select from system_events where agent_id = $1 and event_type = $2',
      [agent.agentId, type],
    );
    return rows.length;
  };
  await until('it was promoted', async () => (await of('replica_promoted')) === 1, 60_000);
  await until('the old machine is gone', async () => (await of('instance_terminated')) >= 1, 60_000);
  await until('another replica is ready', async () => (await of('replica_ready')) >= 2, 60_000);
  const state = await agent.state();
  expect(state).toMatchObject({
    status: 'online',
    incarnation: 2,
    primary: { instanceId: replicaInstance },
    activeSwitch: null,
    replicas: [{ phase: 'ready' }],
  });
  const running = (await agent.cloudInstances()).filter((one) => one.state === 'running');
  expect(running.map((one) => one.instance_id).sort()).toEqual(
    [replicaInstance, state.replicas[0]!.instanceId].sort(),
  );
  expect([await of('cut_over'), await of('replica_promoted'), await of('switch_started')]).toEqual([1, 1, 0]);
}

it.each<[string, 'worker' | 'api', () => MakeHold]>([
  ['it is being committed', 'worker', () => atDatabase(system, 'cut_over')],
  ['it is committed', 'worker', () => after('cut_over')],
  ['it is being made known', 'worker', () => atDatabase(system, 'replica_promoted')],
  ['the next replica is being launched', 'worker', () => atDatabase(system, 'launch_intent')],
  ['it is committed', 'api', () => after('cut_over')],
])(
  'the promotion goes through when, while %s, the %s is killed',
  async (step, victim, hold) => {
    const agent = await system.agent(`${victim} ${step}`);
    await system.call('PUT', `agents/${agent.agentId}/replica-mode`, { mode: 'manual' });
    const { instance_id: replica } = await agent.event('replica_ready');
    const held = await hold()(agent);
    const notice = {
      instance_id: agent.firstInstanceId,
      action: 'terminate',
      time: new Date(Date.now() + 120_000),
    };
    const answer = await system.call(
      'POST',
      `agents/${agent.agentId}/termination-imminent`,
      notice,
      system.tokens.client,
    );
    expect(answer.status).toBe(202);
    await held.reached;
    await system[victim].kill();
    await held.release();
    await system[victim].restart();
    await promotedOnce(agent, replica!);
  },
  180_000,
);
