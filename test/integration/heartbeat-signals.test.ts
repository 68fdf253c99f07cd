/** `HEARTBEAT_SIGNALS=every` beside the default: more signals, the same agent. */
import type { AgentStateView } from '../../contracts/messages';
import { registerBody, RunningApi } from '../harness/running-api';
import { connectTemporal, type TemporalClient } from '../harness/temporal';
import { until } from '../harness/until';

describe.each(['news', 'every'] as const)('HEARTBEAT_SIGNALS=%s', (mode) => {
  let running: RunningApi;
  let temporal: TemporalClient;

  beforeAll(async () => {
    const env = { HEARTBEAT_SIGNALS: mode, LEASE_SWEEP_MS: '300' };
    [running, temporal] = await Promise.all([RunningApi.start({ worker: true, env }), connectTemporal()]);
  });
  afterAll(async () => {
    await running?.stop();
    await temporal?.close();
  });

  test('an agent is heard, ill, quiet, heard again, idle, busy, and shut down', async () => {
    const register = await running.call(
      'POST',
      '/api/agents/register',
      running.alpha.client,
      registerBody('life', 'i-life'),
    );
    const agentId = register.body.agent_id as string;
    const beat = async (body: object = {}) => {
      const reply = await running.call('POST', `/api/agents/${agentId}/heartbeat`, running.alpha.client, {
        instance_id: 'i-life',
        ...body,
      });
      expect(reply.status).toBe(200);
    };
    const state = () =>
      temporal.client.workflow.getHandle(`agent:${agentId}`).query<AgentStateView>('agentState');
    const becomes = (description: string, holds: (view: AgentStateView) => boolean) =>
      until(description, async () => holds(await state()), 10_000);
    /** Beats taken by the workflow so far: of those that are sent, and of those that say something new. */
    const heard = async (sent: number, told: number) => {
      const expected = mode === 'every' ? sent : told;
      await becomes(`${expected} heartbeats are heard`, (view) => view.heartbeatsSeen >= expected);
      expect((await state()).heartbeatsSeen).toBe(expected);
    };

    for (let number = 0; number < 4; number += 1) await beat({ gpu_utilization: 80 });
    await heard(4, 1);
    await beat({ health: 'unhealthy' });
    await becomes('it is ill', (view) => view.health === 'unhealthy');
    await beat();
    await becomes('it is well', (view) => view.health === 'healthy');
    await heard(6, 3);

    // The sweep finds its lease over; EC2 can't be asked here, so its status stays, but the lease is silent.
    await running.sql.query(
      `update leases set lease_until = now() - interval '1 second' where agent_id = $1`,
      [agentId],
    );
    await until(
      'its lease is over',
      async () => (await running.lease(agentId, 'i-life'))?.state === 'silent',
      20_000,
    );
    await beat();
    await heard(7, 4);
    expect(await running.lease(agentId, 'i-life')).toMatchObject({ state: 'live' });

    await beat({ gpu_utilization: 1 });
    await running.sql.query(
      `update leases set idle_since = now() - interval '4 minutes' where agent_id = $1`,
      [agentId],
    );
    await beat({ gpu_utilization: 1 });
    await beat({ gpu_utilization: 1 });
    await heard(10, 5);
    await beat({ gpu_utilization: 90 });
    await heard(11, 6);

    await beat({ status: 'offline' });
    await becomes('it is shut down', (view) => view.status === 'offline');
    await beat();
    await becomes('it is back', (view) => view.status === 'online');
    await heard(12, 7);
    expect(await running.outbox(agentId)).toEqual([]);
    expect(await running.lease(agentId, 'i-life')).toMatchObject({ heartbeats: '13' });
  });
});
