/** Ends that a stop switch or the cap holds back: nothing is saved, given up or counted for an end that doesn't come. */
import { Client } from 'pg';
import type { AgentStateView, HibernationResult, HibernationStateView } from '../../contracts/messages';
import { launchByHand, registration, startAgent } from '../harness/agents';
import { type ControlPlane, startControlPlane } from '../harness/control-plane';
import { until } from '../harness/until';

let plane: ControlPlane;
let sql: Client;

beforeAll(async () => {
  plane = await startControlPlane(
    '--image-seconds',
    '3',
    '--shutdown-seconds',
    '0',
    '--consistency-seconds',
    '0',
  );
  sql = new Client({ connectionString: plane.databaseUrl });
  await sql.connect();
}, 120_000);
afterAll(async () => {
  await sql?.end();
  await plane?.stop();
});
afterEach(() => sql.query('delete from stop_switches'));

const setSwitch = () =>
  sql.query(`insert into stop_switches (scope, reason, set_by) values ('system', 'look first', 'ann')`);

/** A one-time spot machine, which can only be imaged and ended. */
async function spotAgent(name: string) {
  const { client, taskQueue, clientId, simulator } = plane;
  const machine = await launchByHand(simulator.ready, 'spot');
  const agentId = `${name}-${taskQueue}`;
  const policy = { terminateWaitSeconds: 1, retrySeconds: 1 };
  const agent = await startAgent(client, taskQueue, { clientId, agentId }, registration(machine, policy));
  const hibernation = client.workflow.getHandle(`hibernate:${agentId}:1`);
  const hibernate = () => agent.executeUpdate('hibernate', { args: [{ requestedBy: 'a test' }] });
  return { agent, machine, hibernate, hibernation };
}

it('keeps a machine whose end is held once its image is made', async () => {
  const { agent, machine, hibernate, hibernation } = await spotAgent('midway');
  await hibernate();
  await until(
    'the image is being made',
    async () => (await hibernation.query<HibernationStateView>('hibernationState')).phase === 'saving',
    20_000,
  );
  await setSwitch();
  const result = (await hibernation.result()) as HibernationResult;
  expect(result).toMatchObject({ outcome: 'held', method: 'image', imageId: null });
  expect(result.message).toMatch(/look first.*ami-\w+ was made and is kept/);
  const state = () => agent.query<AgentStateView>('agentState');
  await until('it goes on', async () => (await state()).hibernation === null, 10_000);
  expect(await state()).toMatchObject({
    status: 'online',
    primary: { instanceId: machine.instanceId },
    retirements: [],
  });
}, 60_000);

it('makes no image while the cap has no room, and takes its room before the machine is given up', async () => {
  const [first, second] = [await spotAgent('first'), await spotAgent('second')];
  await sql.query(`update clients set policy = '{"terminationCapAtLeast": 1, "terminationCapShare": 0}'`);
  try {
    await first.hibernate();
    expect(await first.hibernation.result()).toMatchObject({ outcome: 'done', method: 'image' });
    await second.hibernate();
    expect(await second.hibernation.result()).toMatchObject({ outcome: 'held', method: null });
  } finally {
    await sql.query(`update clients set policy = '{}'`);
  }
}, 60_000);
