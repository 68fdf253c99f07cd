/** Looks for EC2's interruption notice, and passes it on until the server has it. */
import { reasonOf } from '../log';
import type { InstanceAction, Metadata } from '../metadata';
import { replyOrRefusal, type Session, StoodDown } from '../session';
import { Backoff, pause } from '../waiting';

export async function terminationCheckWorker(
  session: Session,
  metadata: Metadata,
  signal: AbortSignal,
): Promise<void> {
  const { log, local } = session.parts;
  let told: string | null = null;
  while (!signal.aborted) {
    try {
      const notice = await metadata.instanceAction(signal);
      const key = notice && `${notice.action} ${notice.time}`;
      if (notice && key !== told) {
        log.warning(`EC2 will ${notice.action} this instance at ${notice.time}`);
        await tellServer(session, notice, signal);
        told = key;
      }
    } catch (error) {
      if (error instanceof StoodDown) throw error;
      if (!signal.aborted) log.error(`Termination check failed: ${reasonOf(error)}`);
    }
    // A server in a hurry (its heartbeats say so) wants to hear of notices as soon.
    await pause(Math.min(local.terminationCheckSeconds, session.intervalSeconds) * 1000, signal);
  }
}

/** Two minutes are left, so it is tried again and again, whatever the server says. */
async function tellServer(session: Session, notice: InstanceAction, signal: AbortSignal): Promise<void> {
  const { server, identity, log } = session.parts;
  const backoff = new Backoff(200, 1_000);
  while (!signal.aborted) {
    const { agent } = session;
    if (agent) {
      const body = { instance_id: identity.instanceId, action: notice.action, time: notice.time };
      const outcome = await server.terminationImminent(agent, body, signal);
      if (signal.aborted) return;
      const { refusal } = replyOrRefusal(session, outcome);
      if (!refusal) {
        log.info('Termination notice reported');
        return;
      }
      log.error(`The termination notice could not be reported: ${refusal.reason}`);
    }
    await pause(backoff.nextMs(), signal);
  }
}
