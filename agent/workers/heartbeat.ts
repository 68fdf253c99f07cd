/** Tells the server that this instance lives, and hears what it should know. */
import type { Agent } from '../agent';
import { Refusal } from '../server-client';
import { jittered, type Round } from '../worker-loop';

export function heartbeatRound(agent: Agent): Round {
  return async () => {
    const { memory, identity, server, log } = agent;
    try {
      const reply = await server.heartbeat(memory.agent_id, memory.agent_token, 'online', identity);
      agent.heartbeatAcknowledged(reply);
      log('debug', 'Heartbeat sent successfully', { role: reply.role, incarnation: reply.incarnation });
      return jittered(reply.next_heartbeat_in_seconds);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return agent.refused(error);
    }
  };
}
