/** Looks for EC2's rebalance recommendation and reports each once. */
import type { Agent } from '../agent';
import { jittered, type Round } from '../worker-loop';

export function rebalanceCheckRound(agent: Agent, everySeconds: number): Round {
  let reported: string | null = null;
  return async () => {
    const { memory, identity, server, log } = agent;
    const noticeTime = await agent.metadata.rebalanceRecommendation();
    if (noticeTime !== null && noticeTime !== reported) {
      await server.rebalanceRecommendation(
        memory.agent_id,
        memory.agent_token,
        identity.instanceId,
        noticeTime,
      );
      reported = noticeTime;
      log('info', 'Reported the rebalance recommendation', { noticeTime });
    }
    return jittered(everySeconds);
  };
}
