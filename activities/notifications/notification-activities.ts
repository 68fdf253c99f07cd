/** Telling people what happened: groups, messages, and one attempt to deliver each. */
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { failureTypes } from '../../contracts/activities';
import type { ChannelKind, DeliveryResult, NotificationActivities } from '../../contracts/notifications';
import { WHOLE_SYSTEM } from '../../contracts/notifications';
import type { Db } from '../../db/connect';
import {
  beginAttempt,
  type DueDelivery,
  endDelivery,
  markDelivered,
  noteFailedAttempt,
  prepareDelivery,
  prepareTest,
} from '../../db/notification-deliveries';
import { closeNotifications, gatherEvents } from '../../db/notification-groups';
import { writeEvents } from '../../db/system-events';
import { groupOf } from '../../policy/notifications/grouping';
import { composeMessage, composeTest, type Places } from '../../policy/notifications/message';
import { GiveUp, TryAgain } from './delivery-errors';
import { sendMail, type SmtpSettings } from './send-mail';
import { sendWebhook, type WebhookSettings } from './send-webhook';

export interface NotificationDependencies {
  db: Db;
  webhooks: WebhookSettings;
  /** Null where no mail server is set up. */
  smtp: SmtpSettings | null;
  places: Places;
  /** Told of each attempt to deliver a message. */
  attempted: (attempt: DeliveryAttempt) => void;
}

export interface DeliveryAttempt {
  kind: ChannelKind;
  /** `failed` is tried again, unless it was a test; `refused` is not, for no later attempt could help. */
  result: 'delivered' | 'failed' | 'refused';
  /** Whether another was made before. */
  repeated: boolean;
}

export function createNotificationActivities(parts: NotificationDependencies): NotificationActivities {
  const { db, webhooks, smtp, places, attempted } = parts;
  return {
    gatherEvents: ({ audience }) => gatherEvents(db, audience, groupOf),

    closeNotifications: ({ audience, notificationIds }) => closeNotifications(db, audience, notificationIds),

    async prepareDelivery(request) {
      const message = await prepareDelivery(db, request, (groups, createdAt) =>
        composeMessage(request.audience, groups, createdAt, places),
      );
      return { prepared: message !== null, summary: message?.title ?? '' };
    },

    async prepareTest({ requestedBy, ...request }) {
      const composed = composeTest(request.audience, requestedBy, new Date(), places);
      const message = await prepareTest(db, request, composed);
      return { prepared: message !== null, summary: message?.title ?? '' };
    },

    async sendDelivery({ deliveryId }) {
      const due = await beginAttempt(db, deliveryId);
      if (due.status !== 'pending') return settled(due);
      if (!due.deliverable) {
        return endDelivery(db, deliveryId, 'cancelled', 'The channel was deleted or switched off.').then(
          resultOf,
        );
      }
      return whileBeating((signal) => attempt(due, signal));
    },

    endDelivery: ({ deliveryId, outcome, reason }) =>
      db.transaction().execute(async (transaction) => {
        const ended = await endDelivery(transaction, deliveryId, outcome, reason);
        // An event belongs to a client; what fails for the whole system's own channels stands in their deliveries.
        if (ended.outcome === 'failed' && ended.kind === 'events' && ended.audience !== WHOLE_SYSTEM) {
          await writeEvents(transaction, ended.audience, null, [
            {
              key: `notification-failed:${deliveryId}`,
              eventType: 'notification_failed',
              severity: 'warning',
              instanceId: null,
              message: `The channel ${ended.channelName} was not told "${ended.title}" and won't be: ${ended.message}`,
              details: { failedChannelId: ended.channelId, deliveryId, attempts: ended.attempts },
            },
          ]);
        }
        return resultOf(ended);
      }),
  };

  async function attempt(due: DueDelivery, signal: AbortSignal): Promise<DeliveryResult> {
    const { deliveryId, channel } = due;
    const ended = (result: DeliveryAttempt['result']) =>
      attempted({ kind: channel.kind, result, repeated: Context.current().info.attempt > 1 });
    try {
      if (channel.kind === 'email') {
        const note = await sendMail(due, smtp, webhooks.rules, signal);
        ended('delivered');
        await markDelivered(db, deliveryId, null, note);
        return { outcome: 'delivered', message: note ?? 'The mail server took it.' };
      }
      const status = await sendWebhook(due, webhooks, signal);
      ended('delivered');
      await markDelivered(db, deliveryId, status, null);
      return { outcome: 'delivered', message: `It was answered with ${status}.` };
    } catch (error) {
      if (error instanceof TryAgain || error instanceof GiveUp) {
        ended(error instanceof GiveUp ? 'refused' : 'failed');
        await noteFailedAttempt(db, deliveryId, error.message, error.more.responseStatus ?? null);
      }
      throw toFailure(error);
    }
  }
}

function settled({ status, message }: DueDelivery): DeliveryResult {
  const outcome = status === 'failed' || status === 'cancelled' ? status : 'delivered';
  return { outcome, message: `"${message.title}" was ${outcome} before.` };
}

function resultOf({ outcome, message }: DeliveryResult): DeliveryResult {
  return { outcome, message };
}

function toFailure(error: unknown): unknown {
  if (error instanceof GiveUp) return ApplicationFailure.nonRetryable(error.message, failureTypes.never);
  if (!(error instanceof TryAgain)) return error;
  const { afterSeconds } = error.more;
  return ApplicationFailure.create({
    message: error.message,
    type: afterSeconds === undefined ? failureTypes.retry : failureTypes.throttled,
    ...(afterSeconds !== undefined && { nextRetryDelay: afterSeconds * 1000 }),
  });
}

/** A killed worker's attempt goes to another worker as soon as it is missed, and a cancelled one ends. */
async function whileBeating<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const context = Context.current();
  const beat = setInterval(() => context.heartbeat(), 1_000);
  try {
    return await work(context.cancellationSignal);
  } finally {
    clearInterval(beat);
  }
}
