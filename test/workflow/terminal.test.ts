/** The commands of the README, with the `temporal` program itself: list, query and signal, well-formed and not. */
import type { WorkflowHandle } from '@temporalio/client';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { AgentStateView } from '../../contracts/messages';
import { launchByHand, registration, startAgent } from '../harness/agents';
import { type ControlPlane, startControlPlane } from '../harness/control-plane';
import { testServers } from '../harness/servers';
import { until } from '../harness/until';

let plane: ControlPlane;
let handle: WorkflowHandle;
let agentId: string;

beforeAll(async () => {
  plane = await startControlPlane();
  const { client, taskQueue, clientId, simulator } = plane;
  agentId = `terminal-${taskQueue}`;
  const instance = await launchByHand(simulator.ready);
  handle = await startAgent(client, taskQueue, { clientId, agentId }, registration(instance));
}, 120_000);
afterAll(() => plane?.stop());

async function run(...args: string[]): Promise<string> {
  const { temporalBinary, temporalAddress } = testServers();
  const { stdout } = await promisify(execFile)(temporalBinary, [...args, '--address', temporalAddress]);
  return stdout;
}

const signal = (name: string, ...rest: string[]) =>
  run('workflow', 'signal', '--workflow-id', handle.workflowId, '--name', name, ...rest);
const state = () => handle.query<AgentStateView>('agentState');

it('lists a client’s agents', async () => {
  await until(
    'the list shows it',
    async () =>
      (await run('workflow', 'list', '--query', `ClientId="${plane.clientId}"`)).includes(handle.workflowId),
    20_000,
  );
});

it('shows an agent’s state', async () => {
  const printed = await run(
    'workflow',
    'query',
    '--type',
    'agentState',
    '--workflow-id',
    handle.workflowId,
    '--output',
    'json',
  );
  expect(JSON.parse(printed)).toMatchObject({ queryResult: [{ agentId, status: 'online', incarnation: 1 }] });
});

it('keeps an agent alive, for an hour when no time is named', async () => {
  await signal('keepAlive', '--input', '{"minutes":30}');
  await until('it is kept', async () => (await state()).keepAliveUntil !== null, 10_000);
  const first = Date.parse((await state()).keepAliveUntil!);
  expect((first - Date.now()) / 60_000).toBeCloseTo(30, 0);
  await signal('keepAlive');
  await until('it is kept longer', async () => Date.parse((await state()).keepAliveUntil!) > first, 10_000);
  expect((Date.parse((await state()).keepAliveUntil!) - Date.now()) / 60_000).toBeCloseTo(60, 0);
});

it.each([
  ['text where a number belongs', ['--input', '{"minutes":"sixty"}']],
  ['a negative time', ['--input', '{"minutes":-5}']],
  ['a list', ['--input', '[1]']],
  ['bytes that are no JSON', ['--input', 'not json', '--input-meta', 'encoding=binary/plain']],
  ['an encoding that nobody knows', ['--input', '{"minutes":5}', '--input-meta', 'encoding=of/nobody']],
])('records a keep-alive with %s, and goes on unchanged', async (_, input) => {
  const before = await state();
  await signal('keepAlive', ...input);
  await until(
    'it is recorded',
    async () => (await state()).rejectedMessages.length > before.rejectedMessages.length,
    15_000,
  );
  expect({ ...(await state()), rejectedMessages: [] }).toEqual({ ...before, rejectedMessages: [] });
});
