/**
 * Whose account the credentials are. With another account's, EC2 knows none of our instances, which would look as if
 * they were gone; so a worker does no step at EC2 before STS has named the account it is to serve.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import { CloudError } from '../cloud/cloud-error';
import type { IdentityPort } from '../cloud/identity-port';
import { EnvironmentError } from '../contracts/environment';

export interface AccountQuestion {
  identity: IdentityPort;
  /** Twelve digits, as set. */
  accountId: string;
  log: Logger;
}

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 5_000;
const LOG_AGAIN_MS = 60_000;

/**
 * One question. A CloudError when STS gave no answer, or the credentials cannot be had or used (yet).
 * @throws EnvironmentError when they are another account's.
 */
export async function askAccount({ identity, accountId }: AccountQuestion): Promise<true | CloudError> {
  try {
    const caller = await identity.caller();
    if (caller.accountId === accountId) return true;
    throw new EnvironmentError(
      `The environment variable AWS_ACCOUNT_ID is not usable: got "${accountId}", but the AWS credentials in use are of account ${caller.accountId} (${caller.arn}); set the one to match the other.`,
    );
  } catch (error) {
    if (error instanceof CloudError) return error;
    throw error;
  }
}

/**
 * Asks until STS has named the account, or `stopped`, which gives false.
 * @param first what the first question gave.
 * @throws EnvironmentError when the credentials are another account's.
 */
export async function provenAccount(
  question: AccountQuestion,
  first: true | CloudError,
  stopped: AbortSignal,
): Promise<boolean> {
  const { accountId, log } = question;
  let answer = first;
  let loggedAt = 0;
  for (let waitMs = FIRST_PAUSE_MS; answer !== true; waitMs = Math.min(waitMs * 2, LONGEST_PAUSE_MS)) {
    if (Date.now() - loggedAt >= LOG_AGAIN_MS) {
      loggedAt = Date.now();
      log.warn(
        { err: answer, account: accountId },
        `no step at EC2 is taken until AWS STS names account ${accountId} as that of the credentials; it is asked again every few seconds`,
      );
    }
    await pause(waitMs, undefined, { signal: stopped }).catch((error: Error) => {
      if (error.name !== 'AbortError') throw error;
    });
    if (stopped.aborted) return false;
    answer = await askAccount(question);
  }
  log.info({ account: accountId }, 'the credentials are those of the account');
  return true;
}
