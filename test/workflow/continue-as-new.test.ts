/**
 * An agent's run that goes on in a new one, on the real server (the time-skipping one treats children of a continued
 * parent otherwise): its state goes with it, its switch and its retirement run on and still reach it.
 */
import type { WorkflowHandle } from '@temporalio/client';
import { Client } from 'pg';
import type { AgentStateView, SwitchAccepted } from '../../contracts/messages';
import { connectDatabase } from '../../db/connect';
import { storeBeats } from '../../db/leases';
import { drainOutbox } from '../../db/outbox';
import { signalSender } from '../../temporal/signal-sender';
import { launchByHand, registration, startAgent } from '../harness/agents';
import { type ControlPlane, startControlPlane } from '../harness/control-plane';
import { recordHistory } from '../harness/histories';
import { startedWorkflow } from '../harness/temporal';
import { until } from '../harness/until';

let plane: ControlPlane;

beforeAll(async () => {
  plane = await startControlPlane();
}, 120_000);
afterAll(() => plane?.stop());

const stateOf = (handle: WorkflowHandle) => handle.query<AgentStateView>('agentState');

/** Heartbeats until the run they went to has been continued by another. */
async function beatUntilContinued(
  handle: WorkflowHandle,
  instanceId: string,
  firstRevision: number,
): Promise<number> {
  const { runId } = await handle.describe();
  let revision = firstRevision;
  await until(
    'the run was continued',
    async () => {
      const receivedAt = new Date().toISOString();
      revision += 1;
      await handle.signal('heartbeat', {
        instanceId,
        revision,
        health: 'healthy',
        mode: null,
        zone: null,
        receivedAt,
      });
      return (await handle.describe()).runId !== runId;
    },
    30_000,
  );
  return revision;
}

it('keeps state, switch and retirement over continue-as-new', async () => {
  const { client, db, simulator, taskQueue, clientId } = plane;
  const agentId = `continued-${taskQueue}`;
  const from = await launchByHand(simulator.ready);
  const policy = { terminateWaitSeconds: 3600 };
  const ids = { clientId, agentId, historyLimitEvents: 80 };
  const handle = await startAgent(client, taskQueue, ids, registration(from, policy));
  await handle.signal('keepAlive', { minutes: 90 });
  const { switchNumber, switchWorkflowId } = await handle.executeUpdate<SwitchAccepted, [object]>(
    'requestSwitch',
    {
      args: [
        {
          priority: 'manual',
          targetMode: null,
          targetPool: null,
          terminateWaitSeconds: null,
          requestedBy: 'test',
          requestId: '1',
        },
      ],
    },
  );
  const intent = () =>
    db.selectFrom('launch_intents').selectAll().where('agent_id', '=', agentId).executeTakeFirst();
  await until('the launch is recorded', async () => (await intent())?.outcome === 'launched', 20_000);
  await until(
    'the agent knows',
    async () => {
      const events = await db
        .selectFrom('system_events')
        .select('event_type')
        .where('agent_id', '=', agentId)
        .execute();
      return events.some((event) => event.event_type === 'instance_launched');
    },
    20_000,
  );
  const before = await stateOf(handle);

  const revision = await beatUntilContinued(handle, from.instanceId, 0);

  const after = await stateOf(handle);
  const beats = { heartbeatsSeen: expect.any(Number), lastHeartbeatAt: expect.any(String) };
  expect(after).toEqual({ ...before, ...beats });
  expect(after.heartbeatsSeen).toBeGreaterThanOrEqual(revision);
  expect((await client.workflow.getHandle(switchWorkflowId).describe()).status.name).toBe('RUNNING');

  // The switch that the earlier run started still finds the agent, and its candidate takes over.
  const launched = (await intent())!;
  const facts = { ...from, instanceId: launched.instance_id!, zone: launched.az, mode: launched.mode };
  const launch = { launchId: launched.launch_id, switchNumber };
  const outcome = await handle.executeUpdate('register', {
    args: [{ ...registration(facts, policy), launch }],
  });
  expect(outcome).toEqual({ result: 'accepted', role: 'candidate', incarnation: 2 });
  const receivedAt = new Date().toISOString();
  await handle.signal('heartbeat', {
    instanceId: facts.instanceId,
    revision: 1,
    health: 'healthy',
    mode: null,
    zone: null,
    receivedAt,
  });
  await until('the switch has ended', async () => (await stateOf(handle)).activeSwitch === null, 20_000);
  expect(await stateOf(handle)).toMatchObject({ incarnation: 2, primary: { instanceId: facts.instanceId } });
  recordHistory(switchWorkflowId, 'switch-completed');
  recordHistory(`agent:${agentId}`, 'agent-continued');

  // And a retirement that this run started outlives it as well.
  const retirement = await startedWorkflow(client, `retire:${from.instanceId}`);
  await beatUntilContinued(handle, facts.instanceId, 1);
  expect((await retirement.describe()).status.name).toBe('RUNNING');
  expect((await stateOf(handle)).retirements).toEqual([
    { instanceId: from.instanceId, workflowId: retirement.workflowId },
  ]);
  await retirement.signal('keep');
  await until(
    'the agent heard of its end',
    async () => (await stateOf(handle)).retirements.length === 0,
    20_000,
  );
  recordHistory(retirement.workflowId, 'retire-kept');
});

it('goes on with a retirement that is held back for long, and hears of its keep in any run', async () => {
  const { client, simulator, taskQueue, clientId } = plane;
  const sql = new Client({ connectionString: plane.databaseUrl });
  await sql.connect();
  await sql.query(`insert into stop_switches (scope, reason, set_by) values ('system', 'look first', 'ann')`);
  try {
    const held = [];
    for (const name of ['ended', 'kept']) {
      const { instanceId, accountId, region } = await launchByHand(simulator.ready);
      const agentId = `${name}-${taskQueue}`;
      const times = { markedAt: new Date().toISOString(), waitSeconds: 0, retrySeconds: 0.2 };
      const address = { clientId, agentId, logicalAgentId: agentId, instanceId, accountId, region };
      const input = { ...address, ...times, reason: 'superseded', historyLimitEvents: 30 };
      const workflowId = `retire:${instanceId}`;
      held.push(await client.workflow.start('retirementWorkflow', { workflowId, taskQueue, args: [input] }));
    }
    const [ended, kept] = held.map(({ workflowId }) => client.workflow.getHandle(workflowId));
    for (const [index, { firstExecutionRunId }] of held.entries()) {
      const continued = async () => (await [ended, kept][index]!.describe()).runId !== firstExecutionRunId;
      await until('it was continued', continued, 30_000);
    }
    await kept!.signal('keep');
    expect(await kept!.result()).toBe('kept');
    await sql.query('delete from stop_switches');
    expect(await ended!.result()).toBe('terminated');
  } finally {
    await sql.end();
  }
}, 120_000);

it('loses no heartbeat when each is a signal, whatever runs it goes through, nor what was told before', async () => {
  const { client, simulator, taskQueue, clientId } = plane;
  const agentId = `every-${taskQueue}`;
  const instance = await launchByHand(simulator.ready);
  const ids = { clientId, agentId, historyLimitEvents: 60 };
  const policy = { idleWarningSeconds: 1, idleHibernateSeconds: 3600, minimumUptimeSeconds: 1 };
  const handle = await startAgent(client, taskQueue, ids, registration(instance, policy));
  const ingest = connectDatabase(plane.databaseUrl, 'spotkeeper_ingest');
  const runs = new Set<string>();
  let sent = 0;
  const beat = async (gpuUtilizationPercent: number) => {
    const readings = { ...UNKNOWN, gpuUtilizationPercent };
    const place = { mode: 'ondemand' as const, zone: instance.zone };
    const who = { clientId, agentId, instanceId: instance.instanceId, named: true };
    await storeBeats(ingest, [{ ...who, ...place, status: 'online', health: 'healthy', readings }], true);
    sent += 1;
    await drainOutbox(ingest, signalSender(client));
    runs.add((await handle.describe()).runId);
  };
  try {
    await until(
      'it is warned, runs later',
      async () => {
        await beat(1);
        return runs.size > 3 && (await stateOf(handle)).idleWarning !== null;
      },
      30_000,
    );
    const { idleWarning } = await stateOf(handle);
    const { size } = runs;
    while (runs.size < size + 2) await beat(1);
    expect(await stateOf(handle)).toMatchObject({ idleWarning, heartbeatsSeen: sent });
    await beat(90);
    expect(await stateOf(handle)).toMatchObject({
      idleWarning: null,
      heartbeatsSeen: sent,
      status: 'online',
    });
  } finally {
    await ingest.destroy();
  }
});

const UNKNOWN = {
  gpuUtilizationPercent: null,
  vramUsedGb: null,
  cpuUtilizationPercent: null,
  ramUsedGb: null,
  diskUsedGb: null,
  costAccumulated: null,
  uptimeSeconds: null,
};
