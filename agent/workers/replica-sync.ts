/**
 * The work of a replica: to copy the primary's state again and again, and to say how far it has come. What is copied is
 * the workload's: a command of its own (SYNC_COMMAND), which ends with 0 when all is copied. Without one there is no state,
 * and a replica is as good as its primary at once.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { reasonOf } from '../log';
import { replyOrRefusal, type Session, StoodDown } from '../session';
import type { SyncStatusReply } from '../../contracts/replica-http';
import { Backoff, pause } from '../waiting';

/** The server takes a report for the truth for ten seconds. */
const EVERY_MS = 1_000;
const STANDING_WAIT_SECONDS = 30;
const COMMAND_TIMEOUT_MS = 10 * 60_000;

/** Hears of its promotion at once, by a call that the server answers only then. Ends like the sync. @throws StoodDown */
export async function replicaStandingWorker(session: Session, signal: AbortSignal): Promise<void> {
  const { server } = session.parts;
  const backoff = new Backoff(500, 5_000);
  while (!signal.aborted) {
    const { agent, replicaId } = session;
    if (!agent || replicaId === null) return;
    const outcome = await server.standing(agent, replicaId, STANDING_WAIT_SECONDS, signal);
    if (signal.aborted) return;
    const { reply, refusal } = replyOrRefusal(session, outcome);
    if (refusal) {
      await pause(backoff.nextMs(refusal.retryAfterMs), signal);
      continue;
    }
    backoff.reset();
    if (reply.role === 'primary') return session.promoted(reply.incarnation);
  }
}

interface Sync {
  status: 'synced' | 'syncing' | 'failed';
  latencyMs: number;
  progressPercent: number;
  /** Whose state was copied. */
  incarnation: number | null;
}

/** Ends when the replica has become the primary, or with the signal. @throws StoodDown */
export async function replicaSyncWorker(session: Session, signal: AbortSignal): Promise<void> {
  const { server, log } = session.parts;
  const backoff = new Backoff(500, 5_000);
  let primary: SyncStatusReply['primary'] = null;
  while (!signal.aborted) {
    const { agent, replicaId } = session;
    if (!agent || replicaId === null) return;
    const sync = await copied(session, primary, signal);
    if (signal.aborted) return;
    const outcome = await server.syncStatus(
      agent,
      replicaId,
      {
        sync_status: sync.status,
        sync_latency_ms: sync.latencyMs,
        state_transfer_progress: sync.progressPercent,
        source_incarnation: sync.incarnation,
      },
      signal,
    );
    if (signal.aborted) return;
    const { reply, refusal } = replyOrRefusal(session, outcome);
    if (refusal) {
      log.error(`Replica sync could not be reported: ${refusal.reason}`);
      await pause(backoff.nextMs(refusal.retryAfterMs), signal);
      continue;
    }
    backoff.reset();
    if (reply.role === 'primary') return session.promoted(reply.incarnation);
    primary = reply.primary;
    await pause(EVERY_MS, signal);
  }
}

async function copied(
  session: Session,
  primary: SyncStatusReply['primary'],
  signal: AbortSignal,
): Promise<Sync> {
  const { local, log } = session.parts;
  const incarnation = primary?.incarnation ?? null;
  const startMs = performance.now();
  const passed = () => Math.round(performance.now() - startMs);
  if (local.syncCommand === null)
    return { status: 'synced', latencyMs: 0, progressPercent: 100, incarnation };
  if (primary === null) return { status: 'syncing', latencyMs: 0, progressPercent: 0, incarnation };
  try {
    await promisify(execFile)('/bin/sh', ['-c', local.syncCommand], {
      signal,
      timeout: COMMAND_TIMEOUT_MS,
      env: {
        ...process.env,
        PRIMARY_INSTANCE_ID: primary.instance_id,
        PRIMARY_PRIVATE_IP: primary.private_ip ?? '',
      },
    });
    return { status: 'synced', latencyMs: passed(), progressPercent: 100, incarnation };
  } catch (error) {
    if (error instanceof StoodDown) throw error;
    if (!signal.aborted) log.error(`Replica sync error: ${reasonOf(error)}`);
    return { status: 'failed', latencyMs: passed(), progressPercent: 0, incarnation };
  }
}
