/** The whole system as processes: simulated cloud, API, worker, and real agents on simulated instances. */
import { Client as PostgresClient } from 'pg';
import type { AgentPolicy, AgentStateView, SwitchStateView } from '../../contracts/messages';
import type { PurchaseOption } from '../../contracts/states';
import { anyFreePort } from '../../cli/parts/free-port';
import { createTestDatabase, type TestDatabase } from './database';
import { EventStream } from './event-stream';
import { launch } from './launch';
import { type ReadyMessages, startProcess, type TestProcess } from './processes';
import { seedTokens } from './seed';
import { testServers } from './servers';
import { type Simulator, startSimulator } from './simulator';
import { connectTemporal, type TemporalClient, uniqueAccount, uniqueTaskQueue } from './temporal';

export interface SystemOptions {
  /** The simulated cloud's flags besides state and account. */
  cloud?: string[];
  regions?: string[];
  heartbeatSignals?: 'news' | 'every';
  policy?: Partial<AgentPolicy>;
}

/** Quick enough for a test to wait for, slow enough for a busy machine. */
const QUICK_POLICY: Partial<AgentPolicy> = {
  heartbeatIntervalSeconds: 2,
  terminateWaitSeconds: 4,
  candidateDeadlineSeconds: 60,
};

export class System {
  private constructor(
    readonly database: TestDatabase,
    readonly sql: PostgresClient,
    readonly temporal: TemporalClient,
    readonly simulator: Simulator,
    readonly api: TestProcess<ReadyMessages['api']>,
    readonly worker: TestProcess<ReadyMessages['worker']>,
    readonly clientId: string,
    readonly tokens: { admin: string; client: string; user: string },
    readonly events: EventStream,
  ) {}

  static async start(options: SystemOptions = {}): Promise<System> {
    const account = uniqueAccount();
    const [database, temporal, simulator] = await Promise.all([
      createTestDatabase(),
      connectTemporal(),
      startSimulator('--account', account, ...(options.cloud ?? ['--synthetic', '1', '--boot-seconds', '0'])),
    ]);
    const { clientId, tokens } = seedTokens(database.url, 'test');
    const sql = new PostgresClient({ connectionString: database.url });
    await sql.connect();
    // The stories of a file end more machines of one client in an hour than a fleet of their size may lose.
    const policy = { terminationCapAtLeast: 1_000, ...QUICK_POLICY, ...options.policy };
    await sql.query('update clients set policy = $1 where id = $2', [JSON.stringify(policy), clientId]);
    const shared = {
      DATABASE_URL: database.url,
      TEMPORAL_ADDRESS: testServers().temporalAddress,
      TASK_QUEUE: uniqueTaskQueue(),
      LOG_LEVEL: 'info',
    };
    const api = await startProcess('api', {
      ...shared,
      // Agents know the API by this address, so it has to be the same after a restart.
      PORT: String(await anyFreePort()),
      HEARTBEAT_SIGNALS: options.heartbeatSignals ?? 'news',
    });
    const apiUrl = api.ready.url;
    const worker = await startProcess('worker', {
      ...shared,
      AWS_ACCOUNT_ID: account,
      AWS_REGIONS: (options.regions ?? [simulator.ready.region]).join(','),
      AWS_ENDPOINT_URL: simulator.ready.cloudUrl,
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      API_PUBLIC_URL: apiUrl,
      LEASE_SWEEP_MS: '500',
      OUTBOX_RELAY_MS: '200',
    });
    const events = new EventStream(apiUrl, tokens.admin);
    return new System(database, sql, temporal, simulator, api, worker, clientId, tokens, events);
  }

  async stop(): Promise<void> {
    this.events.close();
    await this.simulator.stop(); // Ends the agents.
    await this.worker.stop();
    await this.api.stop();
    await this.sql.end();
    await this.temporal.close();
    await this.database.drop();
  }

  /** A call of the API as JSON, by default as the admin. */
  async call(method: string, route: string, body?: unknown, token = this.tokens.admin) {
    const response = await fetch(`${this.api.ready.url}/api/${route}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }

  /** A call of the simulated cloud's control API. */
  async control(route: string, body?: unknown): Promise<Record<string, unknown>> {
    const response = await fetch(`${this.simulator.ready.controlUrl}/${route}`, {
      method: body === undefined ? 'GET' : 'POST',
      ...(body !== undefined && {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    });
    const reply = (await response.json()) as Record<string, unknown>;
    if (!response.ok) throw new Error(`The simulator refused ${route}: ${JSON.stringify(reply)}`);
    return reply;
  }

  /** Waits until the cloud has received a call newer than `after`. */
  callArrives(action: string, after = 0): Promise<Record<string, unknown>> {
    return this.control(`calls/wait?action=${action}&after=${after}&timeout_seconds=60`);
  }

  /** The number of the newest call the cloud has received. */
  async callsSoFar(): Promise<number> {
    const calls = (await this.control('calls')) as unknown as { number: number }[];
    return calls.at(-1)?.number ?? 0;
  }

  /** What a person does: launches an instance with the agent on it, and waits until that has registered. */
  async agent(logicalAgentId: string, zone?: string, option: PurchaseOption = 'spot'): Promise<RunningAgent> {
    const userData = {
      server_url: this.api.ready.url,
      logical_agent_id: logicalAgentId,
      client_token: this.tokens.client,
    };
    const { InstanceId: instanceId } = await launch(this.simulator.ready, { zone, option, userData });
    const event = await this.events.next('agent_registered', (one) => one.instance_id === instanceId);
    return new RunningAgent(this, event.agent_id!, instanceId);
  }
}

/** One agent of the system, by its logical identity. */
export class RunningAgent {
  constructor(
    private readonly system: System,
    readonly agentId: string,
    /** The instance it was first installed on. */
    readonly firstInstanceId: string,
  ) {}

  async state(): Promise<AgentStateView> {
    return this.system.temporal.client.workflow.getHandle(`agent:${this.agentId}`).query('agentState');
  }

  async switchState(switchNumber: number): Promise<SwitchStateView> {
    const handle = this.system.temporal.client.workflow.getHandle(`switch:${this.agentId}:${switchNumber}`);
    return handle.query('switchState');
  }

  /** Waits for an event of this agent newer than those already taken. */
  event(type: string) {
    return this.system.events.next(type, (one) => one.agent_id === this.agentId);
  }

  async instances(): Promise<
    { id: string; instance_status: string; termination_confirmed: boolean; incarnation: number }[]
  > {
    const { rows } = await this.system.sql.query<{
      id: string;
      instance_status: string;
      termination_confirmed: boolean;
      incarnation: number;
    }>(
      'select id, instance_status, termination_confirmed, incarnation from instances where agent_id = $1 order by created_at',
      [this.agentId],
    );
    return rows;
  }

  /** The cloud's own view of every instance that is or was tagged as this agent's, and of the first one. */
  async cloudInstances(): Promise<CloudInstance[]> {
    const all = (await this.system.control('instances')) as unknown as CloudInstance[];
    return all.filter(
      (one) => one.instance_id === this.firstInstanceId || one.tags['spotkeeper:agent-id'] === this.agentId,
    );
  }
}

export interface CloudInstance {
  instance_id: string;
  state: string;
  zone: string;
  option: PurchaseOption;
  client_token: string | null;
  end_reason: string | null;
  agent_pid: number | null;
  tags: Record<string, string>;
}
