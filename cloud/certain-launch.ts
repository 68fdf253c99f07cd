/**
 * A launch until it is certain what came of it. A call that failed on the way (a time-out, a cut connection, a 5xx) may
 * have launched; leaving its pool then would leave a second instance running that nobody knows. So:
 *
 * 1. the same call with the same token is repeated until EC2 answers definitely, for as long as there is time;
 * 2. a definite refusal counts only when no earlier call may have launched, or the cloud shows nothing of one;
 * 3. out of time, the last error is thrown: the next run begins in doubt, so 2 holds over runs;
 * 4. a look that is refused proves nothing: its error is thrown as ambiguous, for the launch is as open as before.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { CloudError } from './cloud-error';

export interface CertainLaunch<T> {
  /** One call, with the token that makes a repeat the same launch. @throws CloudError */
  attempt: () => Promise<T>;
  /** What the cloud shows alive of this launch, by its tag; null for nothing. */
  find: () => Promise<T | null>;
  /** An earlier run has begun this launch, and may have launched. */
  inDoubt: boolean;
  /** Milliseconds until whoever asks gives up. */
  timeLeftMs: () => number;
}

/** A repeat takes up to this long; with less left the next run makes it. */
const REPEAT_MS = 11_000;

/** Between two repeats: quick, for a notice may be running out, and slower the longer it lasts. */
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 2_000;

/** EC2 shows what it launched within seconds, mostly at once; so it is asked this often, a second apart. */
const LOOKS = 3;
const LOOK_PAUSE_MS = 1_000;

/** @throws CloudError: a definite refusal with nothing launched; else, ambiguous or to be tried again, the launch stays open. */
export async function launchForCertain<T>(launch: CertainLaunch<T>): Promise<T> {
  let { inDoubt } = launch;
  for (let repeat = 0; ; repeat++) {
    try {
      return await launch.attempt();
    } catch (error) {
      if (!(error instanceof CloudError)) throw error;
      switch (error.kind) {
        case 'retry': {
          inDoubt ||= error.ambiguous;
          const wait = Math.min(FIRST_PAUSE_MS * 2 ** repeat, LONGEST_PAUSE_MS);
          if (launch.timeLeftMs() < REPEAT_MS + wait) throw error;
          await pause(wait);
          continue;
        }
        case 'throttled':
          throw error;
        case 'no_capacity':
        case 'already_done':
        case 'wrong_state':
        case 'not_permitted':
        case 'never': {
          // A token with other parameters is one that was used: a release may send a launch otherwise than the last.
          const launched =
            inDoubt || error.code === 'IdempotentParameterMismatch' ? await findInDoubt(launch.find) : null;
          if (launched === null) throw error;
          return launched;
        }
      }
    }
  }
}

async function findInDoubt<T>(find: () => Promise<T | null>): Promise<T | null> {
  try {
    return await findPatiently(find);
  } catch (error) {
    if (!(error instanceof CloudError)) throw error;
    const { kind, code, message, cause } = error;
    throw new CloudError({ kind, code, ambiguous: true }, message, { cause });
  }
}

/** Looks again for what EC2 may not show yet; null when it shows nothing in all looks. */
export async function findPatiently<T>(find: () => Promise<T | null>): Promise<T | null> {
  for (let look = 1; ; look++) {
    const found = await find();
    if (found !== null || look === LOOKS) return found;
    await pause(LOOK_PAUSE_MS);
  }
}
