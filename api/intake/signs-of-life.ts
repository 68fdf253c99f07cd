/**
 * Every second the intake says in the database that heartbeats can be stored. While nobody says so, the silence of agents
 * is ours, and the lease sweep ends no lease (lease-sweep.ts).
 */
import type { Logger } from 'pino';
import type { Db } from '../../db/connect';
import { signIntake } from '../../db/lease-sweep';
import type { HeartbeatIntake } from './heartbeat-intake';

const EVERY_MS = 1_000;
/** A failure this long ago says nothing of now. */
const FAILURE_COUNTS_MS = 5_000;

export interface Signs {
  stop(): Promise<void>;
}

export function giveSigns(db: Db, intake: Pick<HeartbeatIntake, 'isTaking'>, log: Logger): Signs {
  let underWay: Promise<void> | null = null;
  let failed = false;
  async function sign(): Promise<void> {
    try {
      await signIntake(db);
      failed = false;
    } catch (error) {
      if (!failed)
        log.warn({ err: error }, 'the intake can not show that it is there; no lease ends meanwhile');
      failed = true;
    }
  }
  const beat = () => {
    if (underWay !== null || !intake.isTaking(FAILURE_COUNTS_MS)) return;
    underWay = sign().finally(() => (underWay = null));
  };
  beat();
  const timer = setInterval(beat, EVERY_MS);
  return {
    async stop() {
      clearInterval(timer);
      await underWay;
    },
  };
}
