/** A recorded market takes a zone away, and the agent outlives its machine. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { recordHistory } from '../harness/histories';
import { ROOT } from '../harness/servers';
import { System } from '../harness/system';
import { startedWorkflow } from '../harness/temporal';
import { until } from '../harness/until';

const TRACES = path.join(ROOT, '..', 'shared', 'traces', 'v100-2023-02');

interface Trace {
  zone: string;
  region: string;
  gap_seconds: number;
  available_runs: [number, number][];
}

interface Loss {
  zone: string;
  region: string;
  gapSeconds: number;
  /** The first tick at which the zone has no spot any more; it has had some for a while. */
  tick: number;
}

/** A moment of the record when one zone of a region goes while another stays. */
function lossWithRefuge(traces: Trace[]): Loss {
  const ticks = new Map(
    traces.map((trace) => [trace.zone, trace.available_runs.flatMap(([up, n]) => Array<number>(n).fill(up))]),
  );
  for (const { zone, region, gap_seconds: gapSeconds } of traces) {
    const own = ticks.get(zone)!;
    const others = traces
      .filter((one) => one.region === region && one.zone !== zone)
      .map((one) => ticks.get(one.zone)!);
    for (let tick = 5; tick < own.length; tick += 1) {
      const goes = own[tick] === 0 && [1, 2, 3, 4].every((back) => own[tick - back] === 1);
      const refuge = others.some((other) => [-1, 0, 1, 2, 3].every((step) => other[tick + step] === 1));
      if (goes && refuge) return { zone, region, gapSeconds, tick };
    }
  }
  throw new Error('The recorded market holds no such moment.');
}

const recorded = existsSync(TRACES);
const market = recorded
  ? 'a recorded market'
  : 'the synthetic market (no recorded one lies beside this checkout)';

describe(`on ${market}`, () => {
  let system: System;
  let loss: Loss | null = null;

  beforeAll(async () => {
    const clock = ['--paused-clock', '--boot-seconds', '0', '--shutdown-seconds', '0'];
    if (recorded) {
      const files = readdirSync(TRACES).map((name) => readFileSync(path.join(TRACES, name), 'utf8'));
      loss = lossWithRefuge(files.map((text) => JSON.parse(text) as Trace));
    }
    const source = loss
      ? ['--traces', TRACES, '--market-start-tick', String(loss.tick - 2), '--region', loss.region]
      : ['--synthetic', '1'];
    system = await System.start({
      cloud: [...source, ...clock],
      heartbeatSignals: 'every',
      ...(loss && { regions: [loss.region] }),
    });
  }, 120_000);
  afterAll(() => system?.stop());

  /** The market moves on to where the agent's zone is gone. */
  async function takeZone(zone: string): Promise<void> {
    if (loss) await system.control('clock/advance', { seconds: 2 * loss.gapSeconds + 1 });
    else await system.control('pools/take', { zone, instance_type: 'p3.2xlarge', option: 'spot' });
  }

  it('moves the agent to another pool within its notice, with the same id, and proves the end of the old machine', async () => {
    const zone = loss?.zone ?? (await anyZone());
    const agent = await system.agent('survivor', zone);
    expect(await agent.state()).toMatchObject({
      incarnation: 1,
      status: 'online',
      primary: { mode: 'spot', zone },
    });
    await foundInVisibility(agent.agentId, agent.firstInstanceId);
    await until('heartbeats are seen', async () => (await agent.state()).heartbeatsSeen >= 2, 20_000);

    await takeZone(zone);
    const notice = await agent.event('termination_notice');
    expect(notice.instance_id).toBe(agent.firstInstanceId);
    const started = await agent.event('switch_started');
    expect(started.details).toMatchObject({
      workflow_id: `switch:${agent.agentId}:1`,
      priority: 'emergency',
    });
    const cutOver = await agent.event('cut_over');
    await agent.event('switch_completed');

    const state = await agent.state();
    expect(state).toMatchObject({ agentId: agent.agentId, incarnation: 2, status: 'online' });
    expect(state.primary?.instanceId).toBe(cutOver.instance_id);
    expect(state.primary?.zone).not.toBe(zone);
    // The old machine is still there: the move was over before EC2 took it.
    expect(
      (await agent.cloudInstances()).find((one) => one.instance_id === agent.firstInstanceId)?.state,
    ).toBe('running');

    const { rows: intents } = await system.sql.query(
      `select i.created_at <= n.created_at as before_launch, i.client_token, i.instance_id, i.outcome
       from launch_intents i join instances n on n.id = i.instance_id where i.agent_id = $1`,
      [agent.agentId],
    );
    expect(intents).toMatchObject([
      { before_launch: true, outcome: 'launched', instance_id: cutOver.instance_id },
    ]);
    const launched = (await agent.cloudInstances()).find((one) => one.instance_id === cutOver.instance_id);
    expect(launched?.client_token).toBe(intents[0].client_token);

    await system.control('clock/advance', { seconds: 121 });
    const terminated = await agent.event('instance_terminated');
    expect(terminated.instance_id).toBe(agent.firstInstanceId);
    expect(await agent.instances()).toMatchObject([
      {
        id: agent.firstInstanceId,
        instance_status: 'terminated',
        termination_confirmed: true,
        incarnation: 1,
      },
      { id: cutOver.instance_id, instance_status: 'primary', termination_confirmed: false, incarnation: 2 },
    ]);
    const retirement = await startedWorkflow(system.temporal.client, `retire:${agent.firstInstanceId}`);
    await expect(retirement.result()).resolves.toBe('terminated');
    recordHistory(`switch:${agent.agentId}:1`, 'switch-emergency');
    recordHistory(`retire:${agent.firstInstanceId}`, 'retire-terminated');
    recordHistory(`agent:${agent.agentId}`, 'agent-interrupted');
  }, 120_000);

  async function anyZone(): Promise<string> {
    const { pools } = (await system.control('market')) as {
      pools: { zone: string; region: string; instance_type: string; spot_available: boolean }[];
    };
    const region = system.simulator.ready.region;
    return pools.find(
      (pool) => pool.region === region && pool.instance_type === 'p3.2xlarge' && pool.spot_available,
    )!.zone;
  }

  /** As a person would look for it in the Temporal Web UI. */
  async function foundInVisibility(agentId: string, instanceId: string): Promise<void> {
    const query = `ClientId="${system.clientId}" AND AgentStatus="online" AND InstanceMode="spot" AND InstanceId="${instanceId}"`;
    await until(
      'the workflow is found by its search attributes',
      async () => {
        for await (const found of system.temporal.client.workflow.list({ query })) {
          if (found.workflowId === `agent:${agentId}`) return true;
        }
        return false;
      },
      20_000,
    );
  }
});

describe('without a notice', () => {
  let system: System;

  beforeAll(async () => {
    system = await System.start({ policy: { heartbeatIntervalSeconds: 1 } });
  }, 120_000);
  afterAll(() => system?.stop());

  it('replaces a machine that EC2 calls gone once its heartbeats stop', async () => {
    const agent = await system.agent('vanished');
    await system.control(`instances/${agent.firstInstanceId}/vanish`, {});
    await agent.event('instance_lost');
    await agent.event('switch_completed');
    expect(await agent.state()).toMatchObject({
      agentId: agent.agentId,
      incarnation: 2,
      status: 'online',
      noPrimaryReason: null,
    });
    const terminated = await agent.event('instance_terminated');
    expect(terminated.instance_id).toBe(agent.firstInstanceId);
  }, 90_000);

  it('moves nothing when only the agent process died: it is started again on the same machine', async () => {
    const agent = await system.agent('crashed');
    await system.control(`instances/${agent.firstInstanceId}/crash`, {});
    await agent.event('agent_silent');
    await agent.event('agent_online');
    expect(await agent.state()).toMatchObject({
      incarnation: 1,
      activeSwitch: null,
      primary: { instanceId: agent.firstInstanceId },
    });
  }, 90_000);
});
