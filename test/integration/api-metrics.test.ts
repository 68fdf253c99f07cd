/** What Prometheus reads, after requests of each kind. */
import { randomUUID } from 'node:crypto';
import { anyFreePort } from '../../cli/parts/free-port';
import { NOWHERE, RunningApi } from '../harness/running-api';

let running: RunningApi;
let ownPort: string;

beforeAll(async () => {
  ownPort = `127.0.0.1:${await anyFreePort()}`;
  running = await RunningApi.start({
    env: { TEMPORAL_ADDRESS: NOWHERE, API_METRICS_ADDRESS: ownPort, METRICS_CACHE_SECONDS: '0' },
  });
});
afterAll(() => running?.stop());

async function series(address = running.url, token?: string): Promise<string[]> {
  const headers = token === undefined ? undefined : { authorization: `Bearer ${token}` };
  const response = await fetch(`${address}/metrics`, { headers });
  expect(response.headers.get('content-type')).toMatch(/^text\/plain/);
  return (await response.text()).split('\n');
}

it('counts requests by who answered, method and status, without a series for each agent or path', async () => {
  const agentId = randomUUID();
  await running.bookAgent('alpha', agentId, [{ instanceId: 'i-1', role: 'primary', incarnation: 1 }]);
  for (let beat = 0; beat < 3; beat += 1) {
    await running.call('POST', `/api/agents/${agentId}/heartbeat`, running.alpha.client, {
      instance_id: 'i-1',
    });
  }
  await running.call('GET', `/api/agents/${randomUUID()}`, running.alpha.user);
  await running.call('GET', `/api/nowhere/${randomUUID()}`, running.alpha.user);
  const lines = await series();
  expect(lines).toContain('spotkeeper_api_requests_total{intake="heartbeat",method="POST",status="200"} 3');
  expect(lines).toContain('spotkeeper_api_requests_total{intake="http",method="GET",status="404"} 2');
  expect(lines).toContain('spotkeeper_api_request_seconds_count{intake="heartbeat"} 3');
  expect(lines.some((line) => line.startsWith('process_resident_memory_bytes'))).toBe(true);
});

it('counts what came of heartbeats, each outcome from zero', async () => {
  await running.send('POST', `/api/agents/${randomUUID()}/heartbeat`, {}, '{}');
  const lines = await series();
  expect(lines).toContain('spotkeeper_heartbeats_total{outcome="stored"} 3');
  expect(lines).toContain('spotkeeper_heartbeats_total{outcome="refused"} 1');
  expect(lines).toContain('spotkeeper_heartbeats_total{outcome="shed"} 0');
});

it('names instances to administrators and on the port for Prometheus, and sums them up for anyone else', async () => {
  const agentId = randomUUID();
  await running.bookAgent('beta', agentId, [{ instanceId: 'i-lost', role: 'primary', incarnation: 1 }]);
  await running.sql.query(`update agents set status = 'orphaned' where id = $1`, [agentId]);
  const named = `dumont_agents_orphaned{client_id="beta",agent_id="${agentId}",instance_id="i-lost",name="logical-${agentId}"} 1`;
  expect(await series(running.url, running.alpha.admin)).toContain(named);
  expect(await series(`http://${ownPort}`)).toContain(named);
  const anyone = await series();
  expect(anyone).toContain('dumont_agents_orphaned{instance_id="others"} 1');
  expect(anyone.join('\n')).not.toMatch(/beta|i-lost/);
});

it.each(['client', 'user'] as const)('refuses a %s token, which is of one client', async (kind) => {
  const reply = await running.call('GET', '/metrics', running.alpha[kind]);
  expect(reply.status).toBe(403);
});

it('refuses an unknown token rather than to take it for none', async () => {
  expect((await running.call('GET', '/metrics', 'sk_unknown')).status).toBe(401);
});

it('has nothing but its page on the port for Prometheus', async () => {
  expect((await fetch(`http://${ownPort}/api/clients`)).status).toBe(404);
});

it('counts heartbeats that are missed from the start of the process on, and never backwards', async () => {
  const agentId = randomUUID();
  await running.bookAgent('alpha', agentId, [{ instanceId: 'i-2', role: 'primary', incarnation: 1 }]);
  await running.call('POST', `/api/agents/${agentId}/heartbeat`, running.alpha.client, {
    instance_id: 'i-2',
  });
  const missed = async () =>
    Number(
      (await series()).find((line) => line.startsWith('dumont_agents_heartbeat_missed_total'))?.split(' ')[1],
    );
  const before = await missed();
  await running.sql.query(
    `update leases set last_heartbeat_at = now() - interval '100 seconds' where agent_id = $1`,
    [agentId],
  );
  expect(await missed()).toBe(before + 2);
  await running.sql.query(`update agents set status = 'hibernated' where id = $1`, [agentId]);
  expect(await missed()).toBe(before + 2);
});

it('answers without the fleet, and says so, while the books can not be read', async () => {
  await running.sql.query('revoke select on leases from spotkeeper_metrics');
  const lines = await series();
  expect(lines).toContain('spotkeeper_fleet_reading_ok 0');
  expect(lines.some((line) => line.startsWith('dumont_agents_active'))).toBe(false);
  expect(lines.some((line) => line.startsWith('dumont_agents_heartbeat_missed_total'))).toBe(true);
  await running.sql.query('grant select on leases to spotkeeper_metrics');
  expect(await series()).toContain('spotkeeper_fleet_reading_ok 1');
});
