/**
 * The agent workflow's own timers, in skipped time: real workflow code, real database, the simulated cloud over HTTP. What
 * silence leads to in the end, and what holds it up, is told in test/story/silence.
 */
import type { Client, WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { AgentStateView } from '../../contracts/messages';
import { connectDatabase, type Db } from '../../db/connect';
import { seedClient } from '../harness/seed';
import { createTestDatabase, type TestDatabase } from '../harness/database';
import { startTimeSkipping, uniqueTaskQueue } from '../harness/temporal';
import { installRuntime, type InProcessWorkers, startWorkersInProcess } from '../harness/workers';
import { type Simulator, startSimulator } from '../harness/simulator';
import { until } from '../harness/until';
import { launchByHand, registration, startAgent } from '../harness/agents';

let environment: TestWorkflowEnvironment;
let database: TestDatabase;
let db: Db;
let simulator: Simulator;
let workers: InProcessWorkers;
let client: Client;
const taskQueue = uniqueTaskQueue();

beforeAll(async () => {
  installRuntime();
  [environment, database, simulator] = await Promise.all([
    startTimeSkipping(),
    createTestDatabase(),
    // The simulator goes by the real clock: late sight would look like an instance that ended while hours are skipped
    // here, and an image that is waited for lets them pass slowly.
    startSimulator(
      ...['--boot', 'none', '--synthetic', '1', '--consistency-seconds', '0', '--boot-seconds', '0'],
      ...['--image-seconds', '0', '--snapshot-seconds', '0', '--shutdown-seconds', '0'],
    ),
  ]);
  client = environment.client;
  db = connectDatabase(database.url, 'spotkeeper_worker');
  await seedClient(database.url, 'c1');
  workers = await startWorkersInProcess({
    connection: environment.nativeConnection,
    client,
    db,
    taskQueue,
    cloud: simulator.ready,
  });
}, 120_000);

afterAll(async () => {
  await workers?.stop();
  await db?.destroy();
  await environment?.teardown();
  await simulator?.stop();
  await database?.drop();
});

const living: WorkflowHandle[] = [];

// Whoever lives on has timers of its own, and the time-skipping server can lose a workflow whose timer is due while it is
// being cancelled.
afterEach(async () => {
  for (const handle of living.splice(0)) {
    await handle.executeUpdate('delete', { args: [{ requestedBy: 'the test', instances: 'keep' }] });
  }
});

async function runningAgent(agentId: string): Promise<{ handle: WorkflowHandle; instanceId: string }> {
  const instance = await launchByHand(simulator.ready);
  const first = registration(instance);
  const handle = await startAgent(client, taskQueue, { clientId: 'c1', agentId }, first);
  living.push(handle);
  return { handle, instanceId: instance.instanceId };
}

const stateOf = (handle: WorkflowHandle) => handle.query<AgentStateView>('agentState');

async function fallSilent(handle: WorkflowHandle, instanceId: string, revision = 5): Promise<void> {
  const lastHeartbeatAt = new Date(await environment.currentTimeMs()).toISOString();
  await handle.signal('heartbeatLost', { instanceId, revision, lastHeartbeatAt });
  await becomes(handle, 'silent');
}

async function becomes(handle: WorkflowHandle, status: string): Promise<AgentStateView> {
  let state = await stateOf(handle);
  await until(`agent is ${status}`, async () => (state = await stateOf(handle)).status === status, 20_000);
  return state;
}

async function bookedStatus(agentId: string): Promise<string | undefined> {
  const row = await db.selectFrom('agents').select('status').where('id', '=', agentId).executeTakeFirst();
  return row?.status;
}

describe('an agent that falls silent while EC2 calls its instance running', () => {
  it('is silent at once and orphaned after five minutes, not before', async () => {
    const { handle, instanceId } = await runningAgent('orphan');
    await fallSilent(handle, instanceId);
    await environment.sleep('295 seconds');
    expect((await stateOf(handle)).status).toBe('silent');
    await environment.sleep('10 seconds');
    expect((await becomes(handle, 'orphaned')).primary?.instanceId).toBe(instanceId);
    await until('the books say so', async () => (await bookedStatus('orphan')) === 'orphaned', 10_000);
  });

  it('is made well again by a heartbeat, and a keep-alive without argument lasts an hour', async () => {
    const { handle, instanceId } = await runningAgent('well');
    await fallSilent(handle, instanceId);
    await environment.sleep('6 minutes');
    await becomes(handle, 'orphaned');
    const receivedAt = new Date(await environment.currentTimeMs()).toISOString();
    await handle.signal('heartbeat', {
      instanceId,
      revision: 9,
      health: 'healthy',
      mode: null,
      zone: null,
      receivedAt,
    });
    await becomes(handle, 'online');
    const beforeMs = await environment.currentTimeMs();
    await handle.signal('keepAlive');
    const { keepAliveUntil } = await stateOf(handle);
    expect(Date.parse(keepAliveUntil ?? '') - beforeMs).toBeGreaterThanOrEqual(60 * 60_000);
    expect(Date.parse(keepAliveUntil ?? '') - beforeMs).toBeLessThan(61 * 60_000);
  });
});

it('asks EC2 before it calls an instance gone, and then prepares its replacement', async () => {
  const { handle, instanceId } = await runningAgent('lost');
  await fetch(`${simulator.ready.controlUrl}/instances/${instanceId}/vanish`, { method: 'POST' });
  const lastHeartbeatAt = new Date(await environment.currentTimeMs()).toISOString();
  await handle.signal('heartbeatLost', { instanceId, revision: 5, lastHeartbeatAt });
  await until('a recovery has started', async () => (await stateOf(handle)).activeSwitch !== null, 20_000);
  expect(await stateOf(handle)).toMatchObject({
    primary: null,
    noPrimaryReason: expect.stringContaining(instanceId),
  });
});

it('records a malformed signal, changes nothing and goes on', async () => {
  const { handle } = await runningAgent('malformed');
  const before = await stateOf(handle);
  await handle.signal('keepAlive', { minutes: 'many' });
  await handle.signal('keepAlive', 'soon');
  await handle.signal('terminationNotice', null);
  await until('all were recorded', async () => (await stateOf(handle)).rejectedMessages.length === 3, 20_000);
  expect({ ...(await stateOf(handle)), rejectedMessages: [] }).toEqual(before);
});
