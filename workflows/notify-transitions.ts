/** How the state of a notifying workflow changes with what it hears and with the clock: pure, and tested without Temporal. */
import type { DeliveryEnded, Gathered, GatheredGroup } from '../contracts/notifications';
import { countAllowance, groupClosesAtMs, groupDueAtMs, HOUR, MINUTE, mostAtOnce } from './notify-pace';
import type { Channel, NotifyState } from './notify-state';

export type NotifyEvent =
  | { kind: 'eventsWaiting' }
  | { kind: 'gathered'; gathered: Gathered }
  | { kind: 'deliveryPrepared'; deliveryId: string; prepared: boolean }
  | { kind: 'deliveryEnded'; message: DeliveryEnded }
  | { kind: 'deliveryLookedUp'; deliveryId: string; open: boolean }
  | { kind: 'malformed'; name: string; reason: string }
  | { kind: 'clock' };

export type NotifyEffect =
  | { kind: 'gather' }
  | { kind: 'close'; notificationIds: string[] }
  | { kind: 'deliver'; channelId: string; deliveryId: string; notificationIds: string[] }
  | { kind: 'lookUpDelivery'; deliveryId: string }
  /** Its workflow has ended without a word. */
  | { kind: 'settleDelivery'; deliveryId: string };

export interface NotifyTransition {
  state: NotifyState;
  effects: NotifyEffect[];
}

/** How soon a message under way is asked after, and again while it is retried. */
const ASK_AFTER_MS = 10 * MINUTE;
const ASK_AGAIN_MS = HOUR;
const REJECTED_KEPT = 10;

/** @param newId gives each message its id. */
export function onNotifyEvent(
  before: NotifyState,
  event: NotifyEvent,
  nowMs: number,
  newId: () => string,
): NotifyTransition {
  const state = JSON.parse(JSON.stringify(before)) as NotifyState;
  const effects: NotifyEffect[] = [];
  take(state, event, nowMs, effects);
  if (state.gatherDue && !state.gathering) {
    state.gatherDue = false;
    state.gathering = true;
    effects.push({ kind: 'gather' });
  }
  // What just happened may be part of what is due: it is gathered first.
  if (!state.gathering) {
    tellDueGroups(state, nowMs);
    closeQuietGroups(state, nowMs, effects);
    startMessages(state, nowMs, newId, effects);
  }
  askAfterMessages(state, nowMs, effects);
  return { state, effects };
}

function take(state: NotifyState, event: NotifyEvent, nowMs: number, effects: NotifyEffect[]): void {
  switch (event.kind) {
    case 'eventsWaiting':
      state.gatherDue = true;
      return;
    case 'gathered':
      state.gathering = false;
      state.gatherDue ||= event.gathered.more;
      for (const group of event.gathered.groups) takeGroup(state, group, nowMs);
      takeChannels(state, event.gathered.channels, nowMs);
      return;
    case 'deliveryPrepared':
      return takePrepared(state, event, nowMs);
    case 'deliveryEnded':
      endMessage(state, event.message.deliveryId);
      return;
    case 'deliveryLookedUp': {
      const delivery = messageOf(state, event.deliveryId)?.delivery;
      if (!delivery) return;
      delivery.askAtMs = nowMs + ASK_AGAIN_MS;
      if (event.open) return;
      effects.push({ kind: 'settleDelivery', deliveryId: event.deliveryId });
      endMessage(state, event.deliveryId);
      return;
    }
    case 'malformed':
      state.rejectedMessages.push(`${event.name}: ${event.reason}`);
      state.rejectedMessages = state.rejectedMessages.slice(-REJECTED_KEPT);
      return;
    case 'clock':
      return;
  }
}

function takeGroup(state: NotifyState, gathered: GatheredGroup, nowMs: number): void {
  const { notificationId, severity, events, channelIds } = gathered;
  let group = state.groups.find((one) => one.notificationId === notificationId);
  if (!group) {
    group = {
      notificationId,
      severity,
      channelIds,
      events: 0,
      told: 0,
      firstUntoldAtMs: null,
      lastEventAtMs: nowMs,
      toldTimes: 0,
      lastToldAtMs: null,
    };
    state.groups.push(group);
  }
  group.channelIds = channelIds;
  if (events <= group.events) return;
  group.events = events;
  group.firstUntoldAtMs ??= nowMs;
  group.lastEventAtMs = nowMs;
}

function takeChannels(state: NotifyState, channels: Gathered['channels'], nowMs: number): void {
  for (const { channelId, messagesPerHour } of channels) {
    const known = state.channels.find((one) => one.channelId === channelId);
    if (known) {
      countAllowance(known, nowMs);
      known.messagesPerHour = messagesPerHour;
      known.allowance = Math.min(known.allowance, mostAtOnce(messagesPerHour));
    } else {
      const allowance = mostAtOnce(messagesPerHour);
      state.channels.push({
        channelId,
        messagesPerHour,
        allowance,
        countedAtMs: nowMs,
        waiting: [],
        delivery: null,
      });
    }
  }
  const kept = new Set(channels.map((one) => one.channelId));
  state.channels = state.channels.filter((one) => kept.has(one.channelId) || one.delivery !== null);
}

function takePrepared(
  state: NotifyState,
  { deliveryId, prepared }: Extract<NotifyEvent, { kind: 'deliveryPrepared' }>,
  nowMs: number,
): void {
  const channel = messageOf(state, deliveryId);
  if (!channel?.delivery) return;
  if (prepared) {
    countAllowance(channel, nowMs);
    channel.allowance -= 1;
    channel.delivery = { deliveryId, notificationIds: null, askAtMs: nowMs + ASK_AFTER_MS };
  } else {
    channel.delivery = null;
  }
}

function tellDueGroups(state: NotifyState, nowMs: number): void {
  for (const group of state.groups) {
    const dueAtMs = groupDueAtMs(group);
    if (dueAtMs === null || dueAtMs > nowMs) continue;
    group.told = group.events; // N1
    group.firstUntoldAtMs = null;
    group.toldTimes += 1;
    group.lastToldAtMs = nowMs;
    for (const channel of state.channels) {
      const wanted = group.channelIds.includes(channel.channelId);
      if (wanted && !channel.waiting.includes(group.notificationId))
        channel.waiting.push(group.notificationId);
    }
  }
}

function closeQuietGroups(state: NotifyState, nowMs: number, effects: NotifyEffect[]): void {
  const closing = state.groups.filter((group) => groupClosesAtMs(group) <= nowMs);
  if (closing.length === 0) return;
  state.groups = state.groups.filter((group) => !closing.includes(group));
  effects.push({ kind: 'close', notificationIds: closing.map((group) => group.notificationId) });
}

function startMessages(
  state: NotifyState,
  nowMs: number,
  newId: () => string,
  effects: NotifyEffect[],
): void {
  for (const channel of state.channels) {
    if (channel.delivery !== null || channel.waiting.length === 0) continue; // N2
    countAllowance(channel, nowMs);
    if (channel.allowance < 1) continue;
    const deliveryId = newId();
    const notificationIds = channel.waiting;
    channel.waiting = [];
    channel.delivery = { deliveryId, notificationIds, askAtMs: null }; // N3
    effects.push({ kind: 'deliver', channelId: channel.channelId, deliveryId, notificationIds });
  }
}

function askAfterMessages(state: NotifyState, nowMs: number, effects: NotifyEffect[]): void {
  for (const { delivery } of state.channels) {
    if (!delivery?.askAtMs || delivery.askAtMs > nowMs) continue;
    delivery.askAtMs = null; // Until the answer.
    effects.push({ kind: 'lookUpDelivery', deliveryId: delivery.deliveryId });
  }
}

function messageOf(state: NotifyState, deliveryId: string): Channel | undefined {
  return state.channels.find((channel) => channel.delivery?.deliveryId === deliveryId);
}

function endMessage(state: NotifyState, deliveryId: string): void {
  const channel = messageOf(state, deliveryId);
  if (channel) channel.delivery = null;
}
