/**
 * The API is away for five minutes, while a worker sweeps on: no agent is taken to be silent for it. The minutes pass by
 * moving all that is known of the time before them back.
 */
import { registerBody, RunningApi } from '../harness/running-api';
import { until } from '../harness/until';

let running: RunningApi;

beforeAll(async () => {
  running = await RunningApi.start({ worker: true, env: { LEASE_SWEEP_MS: '200' } });
});
afterAll(() => running?.stop());

/** More than half of which would be a mass silence. */
const AGENTS = 12;
const agents: { agentId: string; instanceId: string }[] = [];

const beat = async ({ agentId, instanceId }: (typeof agents)[number]) => {
  const reply = await running.call('POST', `/api/agents/${agentId}/heartbeat`, running.alpha.client, {
    instance_id: instanceId,
  });
  expect(reply.status).toBe(200);
};

const lastSweep = async () =>
  (
    await running.sql.query<{ ago: number | null }>(
      `select extract(epoch from now() - max(last_run_at))::float8 as ago from sweep_runs where name = 'leases'`,
    )
  ).rows[0]!.ago ?? Infinity;

const events = async (type: string) =>
  (await running.sql.query('select from system_events where event_type = $1', [type])).rowCount;

test('five minutes without the API make no agent silent, and one that stays away afterwards is', async () => {
  for (let number = 0; number < AGENTS; number += 1) {
    const instanceId = `i-${number}`;
    const body = registerBody(`outage-${number}`, instanceId);
    const reply = await running.call('POST', '/api/agents/register', running.alpha.client, body);
    agents.push({ agentId: String(reply.body.agent_id), instanceId });
  }
  for (const agent of agents) await beat(agent);
  await until('the worker sweeps', async () => (await lastSweep()) < 1, 10_000);

  await running.api.kill();
  await running.sql.query(
    `with moved as (update sweep_runs set last_run_at = last_run_at - interval '5 minutes')
     update leases set last_heartbeat_at = last_heartbeat_at - interval '5 minutes',
       first_heartbeat_at = first_heartbeat_at - interval '5 minutes', lease_until = lease_until - interval '5 minutes'`,
  );
  // The worker looks again and again, and sees that it is not the agents.
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expect(await lastSweep()).toBeGreaterThan(290);
  await running.api.restart();
  await until('the worker sweeps again', async () => (await lastSweep()) < 1, 10_000);
  const { rows } = await running.sql.query<{ states: string[]; least: number }>(
    `select array_agg(distinct state) as states, min(extract(epoch from lease_until - now()))::float8 as least from leases`,
  );
  expect(rows[0]!.states).toEqual(['live']);
  expect(rows[0]!.least).toBeGreaterThan(60);

  const [away, ...others] = agents;
  for (const agent of others) await beat(agent);
  await running.sql.query(`update leases set lease_until = now() - interval '1 second' where agent_id = $1`, [
    away!.agentId,
  ]);
  const lost = () =>
    running.sql.query<{ agent_id: string }>(`select agent_id from leases where state = 'silent'`);
  await until('the one that stays away is silent', async () => (await lost()).rowCount === 1, 10_000);
  expect((await lost()).rows).toEqual([{ agent_id: away!.agentId }]);
  expect(await events('mass_silence')).toBe(0);
  expect(await events('agent_orphaned')).toBe(0);
  const stayed = await running.sql.query('select distinct status from agents where id <> $1', [
    away!.agentId,
  ]);
  expect(stayed.rows).toEqual([{ status: 'online' }]);
});
