/** The agent as the API hands it out: the built file, and a checksum that fits it. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { NOWHERE, RunningApi } from '../harness/running-api';
import { ROOT } from '../harness/servers';

let running: RunningApi;

beforeAll(async () => {
  running = await RunningApi.start({ env: { TEMPORAL_ADDRESS: NOWHERE } });
});
afterAll(() => running?.stop());

it('serves the built agent and its checksum to anyone', async () => {
  const address = `${running.url}/downloads/agent/latest/spot-agent`;
  const response = await fetch(address);
  expect(response.status).toBe(200);
  const content = Buffer.from(await response.arrayBuffer());
  expect(content).toEqual(readFileSync(path.join(ROOT, 'dist', 'spot-agent.js')));
  const sha256 = createHash('sha256').update(content).digest('hex');
  expect(response.headers.get('x-checksum-sha256')).toBe(sha256);
  expect(await (await fetch(`${address}.sha256`)).text()).toBe(`${sha256}  spot-agent\n`);
});
