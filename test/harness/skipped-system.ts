/**
 * The system in skipped time, for stories that last as long as policies do: API processes, books, workflows and a
 * simulated cloud, all real, on Temporal's time-skipping server and a database whose clock is moved along with it. The
 * worker's loops run by the real clock, so the test takes their steps: while time passes it sweeps and delivers.
 *
 * Machines run no agent: the test sends for them. By the cloud's own clock no time passes.
 */
import { temporal } from '@temporalio/proto';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { Client } from 'pg';
import type { AgentPolicy, AgentStateView } from '../../contracts/messages';
import { connectDatabase, type Db } from '../../db/connect';
import { signIntake, sweepLeases } from '../../db/lease-sweep';
import { drainOutbox } from '../../db/outbox';
import { signalSender } from '../../temporal/signal-sender';
import { createTestDatabase, type TestDatabase } from './database';
import { DatabaseClock } from './database-clock';
import { type ReadyMessages, startProcess, type TestProcess } from './processes';
import { seedTokens } from './seed';
import { type Simulator, startSimulator } from './simulator';
import { type SignalMode, SkippedClient } from './skipped-client';
import { startTimeSkipping, uniqueAccount, uniqueTaskQueue } from './temporal';
import { until } from './until';
import { installRuntime, type InProcessWorkers, startWorkersInProcess } from './workers';

const STARTED = temporal.api.enums.v1.PendingActivityState.PENDING_ACTIVITY_STATE_STARTED;

/** How far time goes on between two sweeps. */
const STEP_SECONDS = 15;

export class SkippedSystem {
  /** While false nothing takes heartbeats in, and so nothing says that it does. */
  private intakeIsUp = true;
  private clients = 0;
  /** Agents that a test has to do with. */
  private readonly live = new Set<string>();

  private constructor(
    readonly environment: TestWorkflowEnvironment,
    readonly database: TestDatabase,
    readonly sql: Client,
    private readonly clock: DatabaseClock,
    private readonly db: Db,
    readonly simulator: Simulator,
    private readonly workers: InProcessWorkers,
    private readonly apis: Record<SignalMode, TestProcess<ReadyMessages['api']>>,
  ) {}

  static async start(): Promise<SkippedSystem> {
    installRuntime();
    const [environment, database, simulator] = await Promise.all([
      startTimeSkipping(),
      createTestDatabase(),
      startSimulator(
        ...['--account', uniqueAccount(), '--boot', 'none', '--synthetic', '1', '--boot-seconds', '0-0'],
        ...['--image-seconds', '0', '--shutdown-seconds', '0', '--consistency-seconds', '0'],
      ),
    ]);
    const sql = new Client({ connectionString: database.url });
    await sql.connect();
    const clock = await DatabaseClock.install(sql);
    const db = connectDatabase(database.url, 'spotkeeper_worker');
    const taskQueue = uniqueTaskQueue();
    const { client, nativeConnection: connection } = environment;
    const workers = await startWorkersInProcess({
      connection,
      client,
      db,
      taskQueue,
      cloud: simulator.ready,
    });
    const api = (mode: SignalMode) =>
      startProcess('api', {
        DATABASE_URL: database.url,
        TEMPORAL_ADDRESS: environment.address,
        TASK_QUEUE: taskQueue,
        HEARTBEAT_SIGNALS: mode,
        PORT: '0',
      });
    const [news, every] = await Promise.all([api('news'), api('every')]);
    return new SkippedSystem(environment, database, sql, clock, db, simulator, workers, { news, every });
  }

  async stop(): Promise<void> {
    await Promise.all(Object.values(this.apis).map((api) => api.stop()));
    await this.workers.stop();
    await this.db.destroy();
    await this.sql.end();
    await this.environment.teardown();
    await this.simulator.stop();
    await this.database.drop();
  }

  /** A client of its own, under the default policy but for what is given. */
  async client(policy: Partial<AgentPolicy> = {}): Promise<SkippedClient> {
    const seeded = seedTokens(this.database.url, `client-${(this.clients += 1)}`);
    await this.sql.query('update clients set policy = $1 where id = $2', [
      JSON.stringify(policy),
      seeded.clientId,
    ]);
    return new SkippedClient(this, seeded);
  }

  /** Time goes by, in which the leases are swept and news delivered. */
  async pass(seconds: number): Promise<void> {
    for (let left = seconds; left > 0; left -= STEP_SECONDS) {
      await this.skip(Math.min(left, STEP_SECONDS));
      await this.sweep();
    }
  }

  /** Time goes by at once, in which nobody sweeps: the next sweep finds that out and counts it against no agent. */
  async skip(seconds: number): Promise<void> {
    await this.rest();
    const { environment, clock } = this;
    const aheadMs = async () => (await environment.currentTimeMs()) - Date.now();
    // What is due meanwhile should not find the database behind.
    await clock.set((await aheadMs()) / 1000 + seconds);
    await environment.sleep(seconds * 1000);
    await clock.set((await aheadMs()) / 1000);
  }

  /**
   * Until no live agent waits for a step that is under way: the time-skipping server loses a workflow whose timer is
   * due at the moment in which something else makes it cancel that timer.
   */
  private async rest(): Promise<void> {
    for (const agentId of this.live) {
      const handle = this.environment.client.workflow.getHandle(`agent:${agentId}`);
      await until(
        `${agentId} waits for nothing`,
        async () => {
          const { raw } = await handle.describe();
          const underWay = (raw.pendingActivities ?? []).filter((one) => one.state === STARTED);
          return underWay.length === 0 && !raw.pendingWorkflowTask;
        },
        20_000,
        10,
      );
    }
  }

  add(agentId: string): void {
    this.live.add(agentId);
  }

  /**
   * Ends the stories told so far: their agents say goodbye, after which no timer of theirs runs. To terminate a
   * workflow would let time stand still for good if that was in the middle of a task.
   */
  async forget(): Promise<void> {
    for (const agentId of this.live) {
      const handle = this.environment.client.workflow.getHandle(`agent:${agentId}`);
      const { primary } = await handle.query<AgentStateView>('agentState');
      if (primary) {
        const goodbye = {
          instanceId: primary.instanceId,
          revision: 1e9,
          receivedAt: new Date().toISOString(),
        };
        await handle.signal('goneOffline', goodbye);
        await handle.query('agentState');
      }
      await this.sql.query('delete from leases where agent_id = $1', [agentId]);
    }
    await this.rest();
    this.live.clear();
  }

  async sweep(): Promise<void> {
    if (this.intakeIsUp) await signIntake(this.db);
    await sweepLeases(this.db, 3 * STEP_SECONDS);
    await this.deliver();
  }

  /** Until nothing waits to be told to a workflow, whoever tells it. */
  async deliver(): Promise<void> {
    const send = signalSender(this.environment.client);
    await until(
      'all news are delivered',
      async () => {
        await drainOutbox(this.db, send);
        const waits = this.db.selectFrom('outbox').select('id').where('undeliverable', '=', false).limit(1);
        return (await waits.execute()).length === 0;
      },
      20_000,
      10,
    );
  }

  /** An outage of all API processes. */
  async killApis(): Promise<void> {
    this.intakeIsUp = false;
    await Promise.all(Object.values(this.apis).map((api) => api.kill()));
  }

  async restartApis(): Promise<void> {
    await Promise.all(Object.values(this.apis).map((api) => api.restart()));
    this.intakeIsUp = true;
  }

  get apiUrl(): string {
    return this.apis.news.ready.url;
  }

  /** A call of the API as JSON. */
  async call(method: string, route: string, token: string, body?: unknown, mode: SignalMode = 'news') {
    const response = await fetch(`${this.apis[mode].ready.url}/api/${route}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }

  async cloudState(instanceId: string): Promise<string> {
    const response = await fetch(`${this.simulator.ready.controlUrl}/instances/${instanceId}`);
    return String(((await response.json()) as Record<string, unknown>)['state']);
  }
}
