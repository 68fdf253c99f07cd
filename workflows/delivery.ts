/** One message to one channel: attempts for a day, then its end written down. */
import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  getExternalWorkflowHandle,
  isCancellation,
  log,
  TimeoutFailure,
} from '@temporalio/workflow';
import type { DeliveryInput, DeliveryResult } from '../contracts/notifications';
import { notificationSignals, notifyWorkflowId } from '../contracts/notifications';
import { notifications, senders } from './activity-options';

export async function deliveryWorkflow(input: DeliveryInput): Promise<DeliveryResult> {
  const { deliveryId, test } = input;
  if (test) return sendTest({ ...input, ...test });
  const result = await send(deliveryId, senders.day);
  await CancellationScope.nonCancellable(() => report(input, result));
  return result;
}

async function sendTest(request: {
  audience: string;
  channelId: string;
  deliveryId: string;
  requestedBy: string;
}): Promise<DeliveryResult> {
  const { audience, channelId, deliveryId, requestedBy } = request;
  const { prepared } = await notifications.prepareTest({ audience, channelId, deliveryId, requestedBy });
  if (!prepared) return { outcome: 'cancelled', message: 'The channel is there no more.' };
  return send(deliveryId, senders.once);
}

async function send(deliveryId: string, sender: typeof senders.day): Promise<DeliveryResult> {
  try {
    return await sender.sendDelivery({ deliveryId });
  } catch (error) {
    if (!(error instanceof ActivityFailure) && !isCancellation(error)) throw error;
    const cancelled = isCancellation(error);
    const reason = cancelled ? 'A person cancelled it.' : reasonOf(error);
    return CancellationScope.nonCancellable(() =>
      notifications.endDelivery({ deliveryId, outcome: cancelled ? 'cancelled' : 'failed', reason }),
    );
  }
}

/** Null leaves it to what the last attempt wrote down. */
function reasonOf(error: unknown): string | null {
  const cause = error instanceof ActivityFailure ? error.cause : undefined;
  if (cause instanceof ApplicationFailure) return cause.message;
  if (cause instanceof TimeoutFailure) return null;
  return cause?.message ?? null;
}

/** Whoever notifies the audience may have been ended; then nobody waits for the news. */
async function report({ audience, deliveryId }: DeliveryInput, { outcome }: DeliveryResult): Promise<void> {
  try {
    await getExternalWorkflowHandle(notifyWorkflowId(audience)).signal(notificationSignals.deliveryEnded, {
      deliveryId,
      outcome,
    });
  } catch (error) {
    log.warn('nobody waits for the end of this delivery', { audience, error: String(error) });
  }
}
