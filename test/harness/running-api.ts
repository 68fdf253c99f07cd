/** The API as a process with two clients, alpha and beta; with or without a worker behind it. */
import { Client as PostgresClient } from 'pg';
import type { InstanceRole } from '../../contracts/states';
import { createTestDatabase, type TestDatabase } from './database';
import { type ReadyMessages, startProcess, type TestProcess } from './processes';
import { seedTokens } from './seed';
import { testServers } from './servers';
import { uniqueAccount, uniqueTaskQueue } from './temporal';

export interface Tokens {
  admin: string;
  client: string;
  user: string;
}

export interface Reply {
  status: number;
  headers: Headers;
  body: Record<string, unknown>;
}

/** No server listens there. */
export const NOWHERE = '127.0.0.1:9';

export interface RunningApiOptions {
  env?: NodeJS.ProcessEnv;
  worker?: boolean;
}

export class RunningApi {
  private constructor(
    readonly database: TestDatabase,
    /** As the superuser, whom row security doesn't bind. */
    readonly sql: PostgresClient,
    readonly api: TestProcess<ReadyMessages['api']>,
    readonly worker: TestProcess<ReadyMessages['worker']> | null,
    readonly alpha: Tokens,
    readonly beta: Tokens,
  ) {}

  static async start({ env = {}, worker = false }: RunningApiOptions = {}): Promise<RunningApi> {
    const database = await createTestDatabase();
    const alpha = seedTokens(database.url, 'alpha').tokens;
    const beta = seedTokens(database.url, 'beta').tokens;
    const sql = new PostgresClient({ connectionString: database.url });
    await sql.connect();
    const shared = {
      DATABASE_URL: database.url,
      TEMPORAL_ADDRESS: testServers().temporalAddress,
      TASK_QUEUE: uniqueTaskQueue(),
      ...env,
    };
    const workerEnv = {
      AWS_ACCOUNT_ID: uniqueAccount(),
      AWS_REGIONS: 'us-east-1',
      AWS_ENDPOINT_URL_EC2: `http://${NOWHERE}`,
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      API_PUBLIC_URL: `http://${NOWHERE}`,
      ...shared,
    };
    const running = worker ? await startProcess('worker', workerEnv) : null;
    const api = await startProcess('api', { ...shared, PORT: '0' });
    return new RunningApi(database, sql, api, running, alpha, beta);
  }

  async stop(): Promise<void> {
    await this.api.stop();
    await this.worker?.stop();
    await this.sql.end();
    await this.database.drop();
  }

  get url(): string {
    return this.api.ready.url;
  }

  call(method: string, route: string, token: string, body?: unknown): Promise<Reply> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    return this.send(method, route, { authorization: `Bearer ${token}` }, text);
  }

  /** As given, with `application/json` unless the headers say otherwise. */
  async send(
    method: string,
    route: string,
    headers: Record<string, string>,
    body?: string | Buffer,
  ): Promise<Reply> {
    const response = await fetch(this.url + route, {
      method,
      headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...(body !== undefined && { body: body as string }),
    });
    const text = await response.text();
    const json = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
    return { status: response.status, headers: response.headers, body: json };
  }

  /** Every row of every table, to see that nothing has changed but the time of the intake's latest sign of life. */
  async contents(): Promise<string> {
    const { rows } = await this.sql.query<{ contents: string }>(
      `select string_agg(table_name || ': ' || (xpath('/row/c/text()', query_to_xml(format(
         'select coalesce(md5(string_agg(t::text, ''|'' order by t::text)), ''empty'') as c from %I as t', table_name),
         false, true, '')))[1]::text, E'\\n' order by table_name) as contents
       from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'
         and table_name <> 'sweep_runs'`,
    );
    return rows[0]!.contents;
  }

  /** An agent in the books whose workflow nobody started, with the standings of its instances. */
  async bookAgent(
    clientId: string,
    agentId: string,
    standings: { instanceId: string; role: InstanceRole; incarnation: number }[],
    intervalSeconds = 30,
  ): Promise<void> {
    const primary = standings.find((one) => one.role === 'primary');
    await this.sql.query(
      'insert into agent_identities (agent_id, client_id, logical_agent_id) values ($1, $2, $3)',
      [agentId, clientId, `logical-${agentId}`],
    );
    await this.sql.query(
      `insert into agents (id, client_id, logical_agent_id, status, health, incarnation, primary_instance_id,
         terminate_wait_seconds, revision)
       values ($1, $2, $3, 'online', 'healthy', $4, $5, 300, 1)`,
      [agentId, clientId, `logical-${agentId}`, primary?.incarnation ?? 0, primary?.instanceId ?? null],
    );
    for (const { instanceId, role, incarnation } of standings) {
      await this.sql.query(
        `insert into instance_standing (agent_id, instance_id, client_id, role, incarnation, current_incarnation,
           heartbeat_interval_seconds, revision) values ($1, $2, $3, $4, $5, $6, $7, 1)`,
        [agentId, instanceId, clientId, role, incarnation, primary?.incarnation ?? 0, intervalSeconds],
      );
    }
  }

  async lease(agentId: string, instanceId: string): Promise<Record<string, unknown> | undefined> {
    const { rows } = await this.sql.query<Record<string, unknown>>(
      'select *, lease_until - last_heartbeat_at as term from leases where agent_id = $1 and instance_id = $2',
      [agentId, instanceId],
    );
    return rows[0];
  }

  async outbox(agentId: string): Promise<{ signal: string; payload: Record<string, unknown> }[]> {
    const { rows } = await this.sql.query<{ signal: string; payload: Record<string, unknown> }>(
      'select signal, payload from outbox where workflow_id = $1 order by id',
      [`agent:${agentId}`],
    );
    return rows;
  }
}

/** What `POST /api/agents/register` takes, of one instance. */
export function registerBody(logicalAgentId: string, instanceId: string) {
  return {
    logical_agent_id: logicalAgentId,
    instance_id: instanceId,
    instance_type: 'p3.2xlarge',
    region: 'us-east-1',
    az: 'us-east-1a',
    ami_id: 'ami-1',
    mode: 'spot',
    hostname: 'host',
    private_ip: '10.0.0.1',
    public_ip: '',
    agent_version: '4.0.0',
    account_id: '123456789012',
  };
}
