/** How long activities may take, and how they are retried. */
import { type RetryPolicy, TimeoutType } from '@temporalio/common';
import {
  ActivityFailure,
  type ActivityOptions,
  proxyActivities,
  proxyLocalActivities,
  TimeoutFailure,
} from '@temporalio/workflow';
import type {
  BookActivities,
  ChildActivities,
  Ec2Activities,
  HibernationActivities,
  RestActivities,
} from '../contracts/activities';
import { failureTypes } from '../contracts/activities';
import { ec2TaskQueue } from '../contracts/ids';
import type { NotificationActivities } from '../contracts/notifications';

/** Database work inside the workflow task: a few milliseconds when all is well, retried for as long as it isn't. */
export const books = proxyLocalActivities<BookActivities>({
  startToCloseTimeout: '10 s',
  localRetryThreshold: '5 s',
  retry: { initialInterval: '100 ms', maximumInterval: '10 s' },
});

export const children = proxyActivities<ChildActivities>({
  startToCloseTimeout: '10 s',
  retry: { initialInterval: '1 s', maximumInterval: '30 s' },
});

export const rest = proxyActivities<RestActivities>({
  startToCloseTimeout: '30 s',
  retry: { initialInterval: '1 s', maximumInterval: '30 s' },
});

/** The books of notifications: quick, so that a killed worker's step doesn't hold back what is critical. */
export const notifications = proxyActivities<NotificationActivities>({
  startToCloseTimeout: '10 s',
  retry: { initialInterval: '1 s', maximumInterval: '30 s' },
});

/** One attempt at a message; a killed worker's goes to another within the heartbeat's time. */
const ATTEMPT: ActivityOptions = { startToCloseTimeout: '1 min', heartbeatTimeout: '6 s' };

export const senders = {
  /** Tried for a day: by then somebody has mended a receiver, or nobody will. */
  day: proxyActivities<NotificationActivities>({
    ...ATTEMPT,
    scheduleToCloseTimeout: '24 h',
    retry: {
      initialInterval: '5 s',
      backoffCoefficient: 2,
      maximumInterval: '15 min',
      nonRetryableErrorTypes: [failureTypes.never],
    },
  }),
  /** For a person who waits for the answer. */
  once: proxyActivities<NotificationActivities>({
    ...ATTEMPT,
    scheduleToCloseTimeout: '1 min',
    retry: { maximumAttempts: 1 },
  }),
};

const EC2_RETRY: RetryPolicy = {
  initialInterval: '500 ms',
  backoffCoefficient: 2,
  maximumInterval: '20 s',
  nonRetryableErrorTypes: [failureTypes.notPermitted, failureTypes.never],
};

/**
 * For a step that has an alternative: a handful of tries, at most a minute or two. The time without a worker doesn't
 * count, since that says nothing of the step.
 */
export const A_FEW_TRIES: ActivityOptions = {
  startToCloseTimeout: '20 s',
  retry: { ...EC2_RETRY, maximumAttempts: 6 },
};

/** An EC2 step, on the queue of the workers that hold the account's credentials. */
export function ec2Activities(
  accountId: string,
  region: string,
  overrides: ActivityOptions = {},
): Ec2Activities & HibernationActivities {
  return proxyActivities<Ec2Activities & HibernationActivities>({
    taskQueue: ec2TaskQueue(accountId, region),
    scheduleToStartTimeout: '2 min',
    startToCloseTimeout: '1 min',
    // Activities beat every second or so, and a killed worker's step goes to another within this.
    heartbeatTimeout: '6 s',
    retry: EC2_RETRY,
    ...overrides,
  });
}

/** Whether a step failed only because no worker of its account took it. */
export function noWorkerTookIt(error: unknown): boolean {
  return (
    error instanceof ActivityFailure &&
    error.cause instanceof TimeoutFailure &&
    error.cause.timeoutType === TimeoutType.SCHEDULE_TO_START
  );
}

export function noWorkerSentence(accountId: string, region: string): string {
  return `No worker serves AWS account ${accountId} in ${region} (task queue ${ec2TaskQueue(accountId, region)}): start one with AWS_ACCOUNT_ID=${accountId} and AWS_REGIONS=${region}.`;
}
