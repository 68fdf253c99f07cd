/** Looks for EC2's recommendation to move elsewhere, and passes each on once. */
import { reasonOf } from '../log';
import type { Metadata } from '../metadata';
import { replyOrRefusal, type Session, StoodDown } from '../session';
import { pause } from '../waiting';

export async function rebalanceCheckWorker(
  session: Session,
  metadata: Metadata,
  signal: AbortSignal,
): Promise<void> {
  const { server, identity, log, local } = session.parts;
  let told: string | null = null;
  while (!signal.aborted) {
    try {
      const noticeTime = await metadata.rebalanceNoticeTime(signal);
      const { agent } = session;
      if (noticeTime !== null && noticeTime !== told && agent) {
        const body = { instance_id: identity.instanceId, notice_time: noticeTime };
        const outcome = await server.rebalanceRecommendation(agent, body, signal);
        if (signal.aborted) return;
        const { refusal } = replyOrRefusal(session, outcome);
        if (refusal) {
          log.error(`The rebalance recommendation could not be reported: ${refusal.reason}`);
        } else {
          told = noticeTime;
          log.info('Rebalance recommendation reported');
        }
      }
    } catch (error) {
      if (error instanceof StoodDown) throw error;
      if (!signal.aborted) log.error(`Rebalance check failed: ${reasonOf(error)}`);
    }
    await pause(local.rebalanceCheckSeconds * 1000, signal);
  }
}
