/** An instance of the simulated cloud that no agent process runs on: the test itself registers it and sends for it. */
import { launchByHand } from './agents';
import type { System } from './system';

export interface RegisteredAgent {
  id: string;
  instanceId: string;
  /** Its agent's token. */
  token: string;
  /** Another heartbeat, with these readings besides; the reply. */
  beat(readings?: object): Promise<Record<string, unknown>>;
}

/** Registered and heard of once. */
export async function registerByHand(system: System, name: string): Promise<RegisteredAgent> {
  const facts = await launchByHand(system.simulator.ready);
  const registered = await system.call(
    'POST',
    'agents/register',
    {
      logical_agent_id: name,
      instance_id: facts.instanceId,
      instance_type: facts.instanceType,
      region: facts.region,
      az: facts.zone,
      ami_id: facts.imageId,
      mode: facts.mode,
      account_id: facts.accountId,
    },
    system.tokens.client,
  );
  if (registered.status !== 200) throw new Error(`${name} was refused: ${JSON.stringify(registered.body)}`);
  const id = String(registered.body['agent_id']);
  const token = String(registered.body['agent_token']);
  const beat = async (readings: object = {}) => {
    const body = { instance_id: facts.instanceId, status: 'online', health: 'healthy', ...readings };
    const sent = await system.call('POST', `agents/${id}/heartbeat`, body, token);
    if (sent.status !== 200) throw new Error(`A heartbeat was refused: ${JSON.stringify(sent.body)}`);
    return sent.body;
  };
  await beat();
  return { id, instanceId: facts.instanceId, token, beat };
}
