/** From the port's errors to Temporal's failures, and a sign of life while a step waits for EC2. */
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { CloudError } from '../cloud/cloud-error';
import { failureTypes } from '../contracts/activities';

/** Runs a step with a heartbeat a second, so that a worker's death is noticed in seconds and not at the time-out. */
export async function ec2Step<T>(step: () => Promise<T>): Promise<T> {
  const context = Context.current();
  const beat = setInterval(() => context.heartbeat(), 1_000);
  try {
    return await step();
  } catch (error) {
    throw toFailure(error);
  } finally {
    clearInterval(beat);
  }
}

/** Milliseconds until Temporal takes the running attempt for lost, and starts another beside it. */
export function attemptTimer(): () => number {
  const endsAt = Date.now() + Context.current().info.startToCloseTimeoutMs;
  return () => endsAt - Date.now();
}

/** How long Temporal waits before it tries again after AWS asked for fewer calls. */
const THROTTLE_PAUSE = '5 s';

function toFailure(error: unknown): unknown {
  if (!(error instanceof CloudError)) return error;
  const { message, kind } = error;
  switch (kind) {
    case 'not_permitted':
      return ApplicationFailure.nonRetryable(message, failureTypes.notPermitted, error.code);
    case 'never':
    case 'no_capacity':
    case 'already_done':
      return ApplicationFailure.nonRetryable(message, failureTypes.never, error.code);
    case 'throttled':
      return ApplicationFailure.create({
        message,
        type: failureTypes.throttled,
        nextRetryDelay: THROTTLE_PAUSE,
      });
    case 'wrong_state':
    case 'retry':
      return ApplicationFailure.create({ message, type: failureTypes.retry });
  }
}
