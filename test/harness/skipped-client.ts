/** A client of the system in skipped time, and its agents: machines for which the test sends. */
import type { AgentStateView } from '../../contracts/messages';
import type { PurchaseOption } from '../../contracts/states';
import { launchByHand } from './agents';
import type { Seeded } from './seed';
import type { SkippedSystem } from './skipped-system';
import { until } from './until';

export type SignalMode = 'news' | 'every';
export type Dialect = 'heartbeat' | 'status';

export class SkippedClient {
  constructor(
    readonly system: SkippedSystem,
    private readonly seeded: Seeded,
  ) {}

  get id(): string {
    return this.seeded.clientId;
  }

  get token(): string {
    return this.seeded.tokens.client;
  }

  get(route: string) {
    return this.system.call('GET', route, this.seeded.tokens.user);
  }

  /** Of a person, who may act. */
  ask(method: string, route: string, body?: unknown) {
    return this.system.call(method, route, this.seeded.tokens.user, body);
  }

  /** A machine with an agent on it that has registered and is not heard yet. */
  async agent(options: Partial<AgentOptions> = {}): Promise<SkippedAgent> {
    const option = options.option ?? 'ondemand';
    const facts = await launchByHand(this.system.simulator.ready, option);
    const { status, body } = await this.system.call('POST', 'agents/register', this.token, {
      logical_agent_id: `on-${facts.instanceId}`,
      instance_id: facts.instanceId,
      instance_type: facts.instanceType,
      region: facts.region,
      az: facts.zone,
      ami_id: facts.imageId,
      mode: option,
      account_id: facts.accountId,
    });
    if (status !== 200) throw new Error(`The registration was refused: ${JSON.stringify(body)}`);
    const own = { dialect: 'heartbeat', mode: 'news', option, everySeconds: 30, ...options } as const;
    this.system.add(String(body['agent_id']));
    return new SkippedAgent(this, String(body['agent_id']), facts.instanceId, own);
  }
}

interface AgentOptions {
  dialect: Dialect;
  /** Through which API it sends. */
  mode: SignalMode;
  option: PurchaseOption;
  everySeconds: number;
}

export interface Warning {
  type: string;
  message: string;
  countdown_seconds: number;
}

export class SkippedAgent {
  constructor(
    private readonly client: SkippedClient,
    readonly id: string,
    readonly instanceId: string,
    private readonly options: AgentOptions,
  ) {}

  /** A heartbeat with these readings, delivered and taken in; the actions of its reply. */
  async beat(readings: object): Promise<Warning[]> {
    const { system, token } = this.client;
    const own = this.options.dialect === 'status';
    const { status, body } = await system.call(
      'POST',
      own ? 'agent/status' : `agents/${this.id}/heartbeat`,
      token,
      { instance_id: this.instanceId, status: own ? 'running' : 'online', ...readings },
      this.options.mode,
    );
    if (status !== 200) throw new Error(`A heartbeat was refused: ${JSON.stringify(body)}`);
    await system.deliver();
    await this.state();
    return body['actions'] as Warning[];
  }

  /** A heartbeat at each interval of so many seconds; the actions of the last reply. */
  async beats(seconds: number, readings: object): Promise<Warning[]> {
    let actions: Warning[] = [];
    for (let passed = 0; passed < seconds; passed += this.everySeconds) {
      await this.client.system.pass(this.everySeconds);
      actions = await this.beat(readings);
    }
    return actions;
  }

  get everySeconds(): number {
    return this.options.everySeconds;
  }

  /** After everything it was told so far. */
  state(): Promise<AgentStateView> {
    return this.client.system.environment.client.workflow
      .getHandle(`agent:${this.id}`)
      .query<AgentStateView>('agentState');
  }

  signal(name: string, ...args: unknown[]): Promise<void> {
    return this.client.system.environment.client.workflow.getHandle(`agent:${this.id}`).signal(name, ...args);
  }

  /** In real time: the world does its part. */
  async becomes(status: string): Promise<AgentStateView> {
    let view = await this.state();
    await until(`${this.id} is ${status}`, async () => (view = await this.state()).status === status, 20_000);
    return view;
  }

  /** The machine in the words of the Dumont dialect. */
  async read(): Promise<Record<string, unknown>> {
    return (await this.client.get(`agent/instances/${this.instanceId}`)).body;
  }

  /** What happened so far, oldest first. */
  async events(): Promise<string[]> {
    const { rows } = await this.client.system.sql.query<{ event_type: string }>(
      'select event_type from system_events where agent_id = $1 order by id',
      [this.id],
    );
    return rows.map((row) => row.event_type);
  }
}
