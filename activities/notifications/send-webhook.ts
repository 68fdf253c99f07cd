/** Slack's and our own webhooks: one attempt, and what its answer means. */
import { STATUS_CODES } from 'node:http';
import type { TargetRules } from '../../contracts/notification-targets';
import { targetFault } from '../../contracts/notification-targets';
import type { DueDelivery } from '../../db/notification-deliveries';
import { slackMessage } from '../../policy/notifications/slack-message';
import { webhookBody, webhookSignature } from '../../policy/notifications/webhook-body';
import { GiveUp, TryAgain } from './delivery-errors';
import { guardedPost, type Resolve } from './guarded-post';

export interface WebhookSettings {
  rules: TargetRules;
  /** For one attempt. */
  timeoutMs: number;
  resolve?: Resolve;
}

const LONGEST_PAUSE_SECONDS = 3600;

/** @returns the status of the answer, from 200 to 299. @throws TryAgain, GiveUp */
export async function sendWebhook(
  due: DueDelivery,
  settings: WebhookSettings,
  signal: AbortSignal,
): Promise<number> {
  const { kind, target } = due.channel;
  const { rules } = settings;
  // The installation may have become stricter since the channel was made.
  const fault = targetFault(kind, target, rules);
  if (fault) throw new GiveUp(`The channel's address ${fault}.`);
  const url = new URL(target);
  const request = kind === 'slack' ? slackRequest(due) : signedRequest(due);
  const answer = await guardedPost({ ...settings, ...request, url, signal });
  const { status } = answer;
  if (status >= 200 && status < 300) return status;
  const said = `${url.host} answered ${status}${STATUS_CODES[status] ? ` ${STATUS_CODES[status]}` : ''}`;
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    const afterSeconds = pauseSeconds(answer.retryAfter);
    throw new TryAgain(`${said}.`, {
      responseStatus: status,
      ...(afterSeconds !== null && { afterSeconds }),
    });
  }
  const redirect = status >= 300 && status < 400;
  throw new GiveUp(`${said}${redirect ? ', and redirects are not followed' : ''}.`, {
    responseStatus: status,
  });
}

function slackRequest({ deliveryId, message }: DueDelivery) {
  return {
    body: JSON.stringify(slackMessage(message)),
    headers: { ...commonHeaders(deliveryId), 'Content-Type': 'application/json; charset=utf-8' },
  };
}

function signedRequest({ deliveryId, message, channel }: DueDelivery) {
  if (channel.secret === null) throw new GiveUp('The channel has no secret to sign with.');
  const body = webhookBody(deliveryId, message);
  return {
    body,
    headers: {
      ...commonHeaders(deliveryId),
      'Content-Type': 'application/json',
      'Spotkeeper-Delivery': deliveryId,
      'Spotkeeper-Signature': webhookSignature(channel.secret, Math.floor(Date.now() / 1000), body),
    },
  };
}

function commonHeaders(deliveryId: string): Record<string, string> {
  return { 'User-Agent': 'spotkeeper', 'Idempotency-Key': deliveryId, Accept: '*/*' };
}

/** Retry-After is seconds or a date. */
export function pauseSeconds(header: string | null, nowMs = Date.now()): number | null {
  if (header === null) return null;
  const seconds = /^\d+$/.test(header.trim()) ? Number(header) : (Date.parse(header) - nowMs) / 1000;
  if (!Number.isFinite(seconds)) return null;
  return Math.min(Math.max(1, Math.ceil(seconds)), LONGEST_PAUSE_SECONDS);
}
