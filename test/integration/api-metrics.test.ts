/** What Prometheus reads, after requests of each kind. */
import { randomUUID } from 'node:crypto';
import { NOWHERE, RunningApi } from '../harness/running-api';

let running: RunningApi;

beforeAll(async () => {
  running = await RunningApi.start({ env: { TEMPORAL_ADDRESS: NOWHERE } });
});
afterAll(() => running?.stop());

async function series(): Promise<string[]> {
  const response = await fetch(`${running.url}/metrics`);
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
