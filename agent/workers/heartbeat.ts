/** Says that this instance is alive, as often as the server asks, and registers anew when the server doesn't know it. */
import { replyOrRefusal, type Session } from '../session';
import { Backoff, jittered, pause } from '../waiting';

/** A lost heartbeat is made up for well within the lease of three intervals. */
const FIRST_RETRY_MS = 500;

export async function heartbeatWorker(session: Session, signal: AbortSignal): Promise<void> {
  const { server, identity, log } = session.parts;
  const backoff = new Backoff(FIRST_RETRY_MS, 30_000);
  while (!signal.aborted) {
    const { agent } = session;
    if (!agent) {
      await session.register(signal);
      continue;
    }
    const outcome = await server.heartbeat(agent, 'online', identity, signal);
    if (signal.aborted) return;
    const { reply, refusal } = replyOrRefusal(session, outcome);
    if (refusal) {
      log.error(`Heartbeat failed: ${refusal.reason}`);
      if (refusal.next === 'register_again') await session.register(signal);
      else
        await pause(Math.min(backoff.nextMs(refusal.retryAfterMs), session.intervalSeconds * 1000), signal);
      continue;
    }
    const standDown = reply.actions.find((action) => action.type === 'stand_down');
    if (standDown) session.standDown(standDown.message);
    log.info('Heartbeat sent successfully');
    backoff.reset();
    session.heartbeatSent(reply);
    if (reply.next_heartbeat_in_seconds > 0) session.intervalSeconds = reply.next_heartbeat_in_seconds;
    await pause(jittered(session.intervalSeconds * 1000), signal);
  }
}
