/** Looks for EC2's interruption notice and reports it until the server has acknowledged it. */
import type { Agent } from '../agent';
import type { Round } from '../worker-loop';

/** A notice that couldn't be delivered is two minutes old at most: no time for patience. */
const RETRY_SECONDS = 0.5;

export function terminationCheckRound(agent: Agent, everySeconds: number): Round {
  let reported: string | null = null;
  return async () => {
    const { memory, identity, server, log } = agent;
    const told = await agent.metadata.instanceAction();
    if (told === null || reported === told.time) return everySeconds;
    log('warn', 'EC2 gave notice for this instance', { ...told });
    try {
      await server.terminationImminent(memory.agent_id, memory.agent_token, identity.instanceId, told);
    } catch (error) {
      log('error', `The notice could not be reported, and is tried again: ${(error as Error).message}`);
      return RETRY_SECONDS;
    }
    reported = told.time;
    log('info', 'The server has acknowledged the notice');
    return everySeconds;
  };
}
