/** Ends that a stop switch or the cap holds back: nothing is saved, given up or counted for an end that doesn't come. */
import { EC2Client, ModifyInstanceAttributeCommand } from '@aws-sdk/client-ec2';
import { Client } from 'pg';
import type { AgentStateView, HibernationResult, HibernationStateView } from '../../contracts/messages';
import type { PurchaseOption } from '../../contracts/states';
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

/** Of a one-time spot machine, which can only be imaged and ended, unless it is another one. */
async function spotAgent(name: string, option: PurchaseOption = 'spot') {
  const { client, taskQueue, clientId, simulator } = plane;
  const machine = await launchByHand(simulator.ready, option);
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

describe('the cap', () => {
  const none = () => sql.query('update instances set end_reserved_at = null');
  beforeEach(async () => {
    await none();
    await sql.query(`update clients set policy = '{"terminationCapAtLeast": 1, "terminationCapShare": 0}'`);
  });
  afterEach(() => sql.query(`update clients set policy = '{}'`));

  /** Deletes an agent with its machine, whose retirement is started after the deletion was answered. */
  async function retire({ agent, machine }: Awaited<ReturnType<typeof spotAgent>>) {
    await agent.executeUpdate('delete', { args: [{ requestedBy: 'a test', instances: 'retire' }] });
    const retirement = plane.client.workflow.getHandle(`retire:${machine.instanceId}`);
    await until('its retirement runs', async () => Boolean(await retirement.describe()), 20_000);
    return retirement;
  }
  const reserved = async ({ machine }: Awaited<ReturnType<typeof spotAgent>>) => {
    const { rows } = await sql.query('select end_reserved_at from instances where id = $1', [
      machine.instanceId,
    ]);
    return (rows as { end_reserved_at: Date | null }[])[0]?.end_reserved_at ?? null;
  };

  it('leaves its room to others when AWS took a machine, or a stop switch holds the rest', async () => {
    const taken = [await spotAgent('taken-1'), await spotAgent('taken-2')];
    for (const { machine } of taken) {
      await fetch(`${plane.simulator.ready.controlUrl}/instances/${machine.instanceId}/vanish`, {
        method: 'POST',
      });
    }
    await setSwitch();
    for (const one of taken) expect(await (await retire(one)).result()).toBe('terminated');
    await sql.query('delete from stop_switches');
    const living = await spotAgent('living');
    expect(await (await retire(living)).result()).toBe('terminated');
    expect(await reserved(living)).not.toBeNull();
    expect(await Promise.all(taken.map(reserved))).toEqual([null, null]);
  }, 60_000);

  it('leaves its room to others when EC2 refused', async () => {
    const kept = await spotAgent('protected', 'ondemand');
    await protect(kept.machine.instanceId, true);
    const waiting = await retire(kept);
    const refused = async () => {
      const { rows } = await sql.query(
        `select from system_events where event_type = 'instance_termination_failed' and instance_id = $1`,
        [kept.machine.instanceId],
      );
      return rows.length > 0;
    };
    await until('EC2 has refused', refused, 20_000);
    expect(await (await retire(await spotAgent('next'))).result()).toBe('terminated');
    await none();
    await protect(kept.machine.instanceId, false);
    expect(await waiting.result()).toBe('terminated');
  }, 60_000);

  it('makes no image while it has no room, and takes its room before the machine is given up', async () => {
    const [first, second] = [await spotAgent('first'), await spotAgent('second')];
    await first.hibernate();
    expect(await first.hibernation.result()).toMatchObject({ outcome: 'done', method: 'image' });
    await second.hibernate();
    expect(await second.hibernation.result()).toMatchObject({ outcome: 'held', method: null });
  }, 60_000);
});

async function protect(instanceId: string, value: boolean): Promise<void> {
  const { region, cloudUrl } = plane.simulator.ready;
  const credentials = { accessKeyId: 'person', secretAccessKey: 'person' };
  const ec2 = new EC2Client({ region, endpoint: cloudUrl, credentials });
  const change = new ModifyInstanceAttributeCommand({
    InstanceId: instanceId,
    DisableApiTermination: { Value: value },
  });
  await ec2.send(change).finally(() => ec2.destroy());
}
