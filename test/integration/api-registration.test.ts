/** Registration and what people see and ask, against a real workflow. */
import { randomUUID } from 'node:crypto';
import type { AgentStateView } from '../../contracts/messages';
import { DEFAULT_POLICY } from '../../contracts/policy-defaults';
import { registerBody, RunningApi } from '../harness/running-api';
import { connectTemporal } from '../harness/temporal';
import { until } from '../harness/until';

let running: RunningApi;

beforeAll(async () => {
  running = await RunningApi.start({ worker: true });
});

afterAll(() => running.stop());

const register = (body: object, token = running.alpha.client) =>
  running.call('POST', '/api/agents/register', token, body);

async function registered(logicalAgentId: string, instanceId: string) {
  const reply = await register(registerBody(logicalAgentId, instanceId));
  expect(reply.status).toBe(200);
  return reply.body as { agent_id: string; agent_token: string };
}

const detail = async (agentId: string) =>
  (await running.call('GET', `/api/agents/${agentId}`, running.alpha.user)).body;

test('ready once the worker polls', async () => {
  const reply = await until(
    'the API is ready',
    async () => {
      const ready = await running.call('GET', '/ready', running.alpha.user);
      return ready.status === 200 && ready;
    },
    10_000,
  );
  expect(reply.body).toEqual({ status: 'ready', parts: { postgres: 'ok', temporal: 'ok', worker: 'ok' } });
});

test('the first registration makes the agent and its lease', async () => {
  const reply = await register(registerBody('first', 'i-first'));
  expect(reply.status).toBe(200);
  expect(reply.body).toEqual({
    agent_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    agent_token: expect.stringMatching(/^ski_[\w-]{43}$/),
    role: 'primary',
    incarnation: 1,
    replica_id: null,
    heartbeat_interval_seconds: 30,
    config_revision: 1,
  });
  const agentId = reply.body.agent_id as string;
  expect(await running.lease(agentId, 'i-first')).toMatchObject({ state: 'live', heartbeats: '0' });
  expect(await detail(agentId)).toMatchObject({
    logical_agent_id: 'first',
    status: 'online',
    instance_id: 'i-first',
    last_heartbeat: null,
    workflow_id: `agent:${agentId}`,
    instances: [{ instance_id: 'i-first', instance_status: 'primary', ami_id: 'ami-1', public_ip: null }],
  });
});

test('registered again, the instance keeps its agent and gets another token; the one before ends', async () => {
  const first = await registered('again', 'i-again');
  const second = await registered('again', 'i-again');
  expect(second.agent_id).toBe(first.agent_id);
  const beat = (token: string) => running.call('POST', `/api/agents/${first.agent_id}/heartbeat`, token, {});
  expect((await beat(first.agent_token)).status).toBe(401);
  expect((await beat(second.agent_token)).body).toMatchObject({ role: 'primary', incarnation: 1 });
});

test('of many at once with one new logical id one becomes the agent', async () => {
  const replies = await Promise.all(
    Array.from({ length: 8 }, (_, number) => register(registerBody('race', `i-race-${number}`))),
  );
  const codes = replies.map((reply) => reply.body.code ?? reply.status);
  expect(codes.sort()).toEqual([200, ...Array<string>(7).fill('has_primary')]);
  const { rows } = await running.sql.query(`select from agent_identities where logical_agent_id = 'race'`);
  expect(rows).toHaveLength(1);
});

test('a client can’t register another client’s EC2 instance, and learns no more than that', async () => {
  const instanceId = 'i-0123456789abcdef0';
  await registered('owner', instanceId);
  const taken = await register(registerBody('thief', instanceId), running.beta.client);
  expect(taken).toMatchObject({ status: 409, body: { code: 'instance_taken' } });
  const { rows } = await running.sql.query(`select from agent_identities where logical_agent_id = 'thief'`);
  expect(rows).toEqual([]);
  // Ids that aren't EC2's are unique in their client only.
  await registered('numbered', '28864630');
  const other = await register(registerBody('numbered', '28864630'), running.beta.client);
  expect(other.status).toBe(200);
});

test('one logical id means another agent in another client', async () => {
  const ours = await registered('same', 'i-ours');
  const theirs = await register(registerBody('same', 'i-theirs'), running.beta.client);
  expect(theirs.body.agent_id).not.toBe(ours.agent_id);
});

test('after its deletion the logical id means a new agent', async () => {
  const first = await registered('deleted', 'i-deleted-1');
  await running.sql.query(`update agents set status = 'deleted' where id = $1`, [first.agent_id]);
  const second = await registered('deleted', 'i-deleted-2');
  expect(second.agent_id).not.toBe(first.agent_id);
});

test('a launch id registers the instance of its launch, for its agent, while the switch wants it', async () => {
  const { agent_id: agentId } = await registered('launched', 'i-launcher');
  const intent = async (instanceId: string | null) => {
    const launchId = randomUUID();
    await running.sql.query(
      `insert into launch_intents (launch_id, client_id, agent_id, logical_agent_id, switch_number, attempt, account_id,
         region, instance_type, az, mode, image_id, client_token, user_data, instance_id)
       values ($1, 'alpha', $2, 'launched', 1, $3, '1', 'us-east-1', 'p3', 'us-east-1a', 'spot', 'ami', $1, '{}', $4)`,
      [launchId, agentId, Math.floor(Math.random() * 1e9), instanceId],
    );
    return launchId;
  };
  const unknown = await register(registerBody('launched', 'i-new'), randomUUID());
  expect(unknown.status).toBe(401);
  const other = await register(registerBody('other', 'i-new'), await intent(null));
  expect([other.status, other.body.code]).toEqual([403, 'wrong_agent']);
  const elsewhere = await register(registerBody('launched', 'i-new'), await intent('i-made'));
  expect([elsewhere.status, elsewhere.body.code]).toEqual([409, 'unknown_launch']);
  const unwanted = await register(registerBody('launched', 'i-late'), await intent('i-late'));
  expect([unwanted.status, unwanted.body.code]).toEqual([409, 'stand_down']);
  const launchId = await intent(null);
  for (const [method, path] of [
    ['GET', `agents/${agentId}`],
    ['POST', `agents/${agentId}/termination-imminent`],
    ['POST', `agents/${agentId}/switch`],
  ] as const) {
    const reply = await running.call(method, `/api/${path}`, launchId, method === 'POST' ? {} : undefined);
    expect(reply.status).toBe(403);
  }
});

test('a goodbye frees the place, and the next machine becomes the agent', async () => {
  const { agent_id: agentId } = await registered('moved', 'i-moved-1');
  const taken = await register(registerBody('moved', 'i-moved-2'));
  expect([taken.status, taken.body.code]).toEqual([409, 'has_primary']);
  await running.call('POST', `/api/agents/${agentId}/heartbeat`, running.alpha.client, { status: 'offline' });
  await until('the goodbye is heard', async () => (await detail(agentId)).status === 'offline', 10_000);
  const next = await register(registerBody('moved', 'i-moved-2'));
  expect(next.body).toMatchObject({ agent_id: agentId, role: 'primary', incarnation: 2 });
  const old = await register(registerBody('moved', 'i-moved-1'));
  expect([old.status, old.body.code]).toEqual([409, 'stand_down']);
});

test("a client's policy reaches the workflow", async () => {
  const { admin } = running.alpha;
  const ofAgents = { heartbeatIntervalSeconds: 60, terminateWaitSeconds: 120 };
  const policy = { ...ofAgents, terminationCapShare: 0.5, terminationCapAtLeast: 2 };
  const created = await running.call('POST', '/api/clients', admin, { id: 'gamma', policy });
  expect([created.status, created.body.policy]).toEqual([201, policy]);
  const issued = await running.call('POST', '/api/tokens', admin, { kind: 'client', client_id: 'gamma' });
  expect(issued.status).toBe(201);
  const token = issued.body.token as string;
  const reply = await register(registerBody('tuned', 'i-tuned'), token);
  expect(reply.body.heartbeat_interval_seconds).toBe(60);
  const agent = await running.call('GET', `/api/agents/${String(reply.body.agent_id)}`, token);
  expect(agent.body.terminate_wait_seconds).toBe(120);
  const temporal = await connectTemporal();
  const { policy: known } = await temporal.client.workflow
    .getHandle(`agent:${String(reply.body.agent_id)}`)
    .query<AgentStateView>('agentState');
  await temporal.close();
  // What is the client's alone stays with it.
  expect(known).toEqual({ ...DEFAULT_POLICY, ...ofAgents });

  expect((await running.call('DELETE', `/api/tokens/${String(issued.body.id)}`, admin)).status).toBe(204);
  expect((await register(registerBody('tuned', 'i-tuned'), token)).status).toBe(401);
});

test('a keep-alive holds in the workflow, and a user who only reads sets none', async () => {
  const { agent_id: agentId } = await registered('kept', 'i-kept');
  const reply = await running.call('POST', `/api/agents/${agentId}/keep-alive`, running.alpha.user, {
    minutes: 90,
  });
  expect([reply.status, reply.body.valid_for_minutes]).toEqual([202, 90]);
  await until('the keep-alive is set', async () => (await detail(agentId)).keep_alive_until !== null, 10_000);
  const readOnly = await running.call('POST', '/api/tokens', running.alpha.admin, {
    kind: 'user',
    client_id: 'alpha',
  });
  const token = readOnly.body.token as string;
  expect((await running.call('GET', `/api/agents/${agentId}`, token)).status).toBe(200);
  expect((await running.call('POST', `/api/agents/${agentId}/keep-alive`, token, {})).status).toBe(403);
  expect((await running.call('POST', `/api/agents/${agentId}/switch`, token, {})).status).toBe(403);
});

test('a switch of an agent that was shut down is refused with the reason', async () => {
  const { agent_id: agentId } = await registered('down', 'i-down');
  await running.call('POST', `/api/agents/${agentId}/heartbeat`, running.alpha.client, { status: 'offline' });
  await until('the goodbye is heard', async () => (await detail(agentId)).status === 'offline', 10_000);
  const reply = await running.call('POST', `/api/agents/${agentId}/switch`, running.alpha.user, {});
  expect([reply.status, reply.body.code]).toEqual([409, 'no_primary']);
});

test("a client's agents come in pages, deleted ones left out", async () => {
  const all: string[] = [];
  let after: string | null = null;
  do {
    const query = `?limit=3${after ? `&after=${after}` : ''}`;
    const { body } = await running.call('GET', `/api/client/alpha/agents${query}`, running.alpha.user);
    const page = body as { agents: { agent_id: string; status: string }[]; next_after: string | null };
    expect(page.agents.every((one) => one.status !== 'deleted')).toBe(true);
    all.push(...page.agents.map((one) => one.agent_id));
    after = page.next_after;
  } while (after !== null);
  const { rows } = await running.sql.query<{ id: string }>(
    `select id from agents where client_id = 'alpha' and status <> 'deleted' order by id`,
  );
  expect(all).toEqual(rows.map((row) => row.id));
  const admin = await running.call('GET', '/api/client/beta/agents', running.alpha.admin);
  expect((admin.body.agents as unknown[]).length).toBeGreaterThan(0);
});

test('without a worker, a registration is to be asked again, and works once there is one', async () => {
  await running.worker!.stop();
  const reply = await register(registerBody('patient', 'i-patient'));
  expect([reply.status, reply.body.code]).toEqual([503, 'no_answer']);
  expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0);
  await running.worker!.restart();
  await registered('patient', 'i-patient');
});
