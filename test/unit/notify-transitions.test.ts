/** When events are told, and by how many messages: the rules of the notifying workflow, without Temporal. */
import type { Gathered, Severity } from '../../contracts/notifications';
import { nextNotifyDeadlineMs } from '../../workflows/notify-pace';
import { hasNothingToDo, initialNotifyState, type NotifyState } from '../../workflows/notify-state';
import { type NotifyEffect, type NotifyEvent, onNotifyEvent } from '../../workflows/notify-transitions';

const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** Drives the rules as the workflow does, with the books as it says they are. */
class Audience {
  state: NotifyState = initialNotifyState('c1');
  nowMs = Date.parse('2026-03-01T12:00:00Z');
  readonly books: Gathered = {
    groups: [],
    channels: [{ channelId: 'ops', messagesPerHour: 30 }],
    more: false,
  };
  /** What was told: when, since the start, and of which groups. */
  readonly told: { seconds: number; channelId: string; notificationIds: string[]; deliveryId: string }[] = [];
  readonly closed: string[] = [];
  readonly lookUps: string[] = [];
  readonly settled: string[] = [];
  /** Whether a message ends at once. */
  endsAtOnce = true;
  readonly #startMs = this.nowMs;
  #ids = 0;

  happens(id: string, events: number, severity: Severity = 'warning', channelIds = ['ops']): void {
    const group = this.books.groups.find((one) => one.notificationId === id);
    if (group) group.events += events;
    else this.books.groups.push({ notificationId: id, severity, events, channelIds });
    this.hear({ kind: 'eventsWaiting' });
  }

  hear(event: NotifyEvent): void {
    const before = JSON.stringify(this.state);
    const { state, effects } = onNotifyEvent(this.state, event, this.nowMs, () => `d${++this.#ids}`);
    expect(JSON.stringify(this.state)).toBe(before); // Pure,
    expect(JSON.parse(JSON.stringify(state))).toEqual(state); // and nothing is lost on its way into the next run.
    this.state = state;
    for (const effect of effects) this.#carryOut(effect);
  }

  /** Lets time pass, the timers firing as the workflow's would. */
  pass(ms: number): void {
    const endMs = this.nowMs + ms;
    for (let timers = 0; ; timers++) {
      expect(timers).toBeLessThan(1000);
      const dueMs = nextNotifyDeadlineMs(this.state);
      if (dueMs === null || dueMs > endMs) break;
      this.nowMs = Math.max(dueMs, this.nowMs);
      this.hear({ kind: 'clock' });
    }
    this.nowMs = endMs;
  }

  #carryOut(effect: NotifyEffect): void {
    switch (effect.kind) {
      case 'gather':
        return this.hear({ kind: 'gathered', gathered: structuredClone(this.books) });
      case 'close':
        this.closed.push(...effect.notificationIds);
        this.books.groups = this.books.groups.filter(
          (one) => !effect.notificationIds.includes(one.notificationId),
        );
        return;
      case 'deliver': {
        this.told.push({ seconds: (this.nowMs - this.#startMs) / SECOND, ...effect });
        this.hear({ kind: 'deliveryPrepared', deliveryId: effect.deliveryId, prepared: true });
        if (this.endsAtOnce) this.end(effect.deliveryId);
        return;
      }
      case 'lookUpDelivery':
        this.lookUps.push(effect.deliveryId);
        return;
      case 'settleDelivery':
        this.settled.push(effect.deliveryId);
        return;
    }
  }

  end(deliveryId: string): void {
    this.hear({ kind: 'deliveryEnded', message: { deliveryId, outcome: 'delivered' } });
  }
}

let audience: Audience;
beforeEach(() => {
  audience = new Audience();
});

const when = () => audience.told.map((one) => one.seconds);

it('tells a hundred events of one moment in one message, once it has been quiet for 20 s', () => {
  audience.happens('zone-a', 100);
  audience.pass(19 * SECOND);
  expect(audience.told).toEqual([]);
  audience.pass(MINUTE);
  expect(audience.told).toMatchObject([{ seconds: 20, channelId: 'ops', notificationIds: ['zone-a'] }]);
});

it('waits for stragglers, but not longer than a minute and a half', () => {
  for (let i = 0; i < 12; i++) {
    audience.happens('zone-a', 10);
    audience.pass(10 * SECOND);
  }
  expect(when()).toEqual([90]);
});

it('tells what is critical after three quiet seconds, ten at most', () => {
  audience.happens('dire', 1, 'critical');
  audience.pass(MINUTE);
  expect(when()).toEqual([3]);
  for (let i = 0; i < 8; i++) {
    audience.happens('worse', 1, 'critical');
    audience.pass(2 * SECOND);
  }
  expect(when()[1]).toBe(70);
});

it('tells later events of a group in updates further and further apart', () => {
  for (let i = 0; i < 3 * 60; i++) {
    audience.happens('zone-a', 1);
    audience.pass(MINUTE);
  }
  expect(when()).toEqual([20, 320, 320 + 15 * 60, 320 + 75 * 60, 320 + 135 * 60]);
});

it('puts what becomes due at once into one message', () => {
  audience.happens('zone-a', 30);
  audience.happens('zone-b', 30);
  audience.pass(MINUTE);
  expect(audience.told).toMatchObject([{ notificationIds: ['zone-a', 'zone-b'] }]);
});

it('has one message at a time on its way to a channel; what comes meanwhile goes into the next', () => {
  audience.endsAtOnce = false;
  audience.happens('one', 1);
  audience.pass(MINUTE);
  for (const id of ['two', 'three', 'four']) {
    audience.happens(id, 1);
    audience.pass(MINUTE);
  }
  expect(audience.told).toHaveLength(1);
  audience.end('d1');
  expect(audience.told[1]).toMatchObject({ notificationIds: ['two', 'three', 'four'], deliveryId: 'd2' });
});

it('sends a channel no more messages an hour than it takes, and loses none of what they would have said', () => {
  audience.books.channels = [{ channelId: 'ops', messagesPerHour: 6 }];
  for (let i = 0; i < 60; i++) {
    audience.happens(`news-${i}`, 1, 'critical');
    audience.pass(MINUTE);
  }
  audience.pass(30 * MINUTE);
  // Five at once, then one in ten minutes.
  expect(audience.told.filter((one) => one.seconds <= 3600)).toHaveLength(10);
  const ids = audience.told.flatMap((one) => one.notificationIds);
  expect(ids).toHaveLength(60);
  expect(new Set(ids).size).toBe(60);
});

it('tells each channel of the groups that it wants only', () => {
  audience.books.channels.push({ channelId: 'pager', messagesPerHour: 30 });
  audience.happens('small', 1, 'warning', ['ops']);
  audience.happens('dire', 1, 'critical', ['ops', 'pager']);
  audience.pass(MINUTE);
  expect(audience.told.map((one) => [one.channelId, one.notificationIds])).toEqual([
    ['ops', ['dire']],
    ['pager', ['dire']],
    ['ops', ['small']],
  ]);
});

it('spends nothing on a message that had nothing to say', () => {
  audience.happens('one', 1);
  const { state } = onNotifyEvent(audience.state, { kind: 'clock' }, audience.nowMs + MINUTE, () => 'd1');
  const after = onNotifyEvent(
    state,
    { kind: 'deliveryPrepared', deliveryId: 'd1', prepared: false },
    audience.nowMs + MINUTE,
    () => 'd2',
  );
  expect(after.state.channels).toMatchObject([{ delivery: null, waiting: [], allowance: 5 }]);
});

it('asks after a message of which it hears nothing, and goes on when its workflow is gone', () => {
  audience.endsAtOnce = false;
  audience.happens('one', 1);
  audience.pass(11 * MINUTE);
  expect(audience.lookUps).toEqual(['d1']);
  audience.hear({ kind: 'deliveryLookedUp', deliveryId: 'd1', open: true });
  audience.happens('two', 1);
  audience.pass(59 * MINUTE);
  expect(audience.told).toHaveLength(1);
  audience.pass(2 * MINUTE);
  expect(audience.lookUps).toEqual(['d1', 'd1']);
  audience.hear({ kind: 'deliveryLookedUp', deliveryId: 'd1', open: false });
  expect(audience.settled).toEqual(['d1']);
  expect(audience.told).toHaveLength(2);
});

it('closes a group after a quiet hour and then has nothing to do', () => {
  expect(hasNothingToDo(audience.state)).toBe(false); // It looks once.
  audience.happens('one', 1);
  audience.pass(59 * MINUTE);
  expect(audience.closed).toEqual([]);
  expect(hasNothingToDo(audience.state)).toBe(false);
  audience.pass(MINUTE);
  expect(audience.closed).toEqual(['one']);
  expect(hasNothingToDo(audience.state)).toBe(true);
});

it('doesn’t end while a message is under way or waits', () => {
  audience.endsAtOnce = false;
  audience.happens('one', 1);
  audience.pass(2 * 60 * MINUTE);
  expect(audience.closed).toEqual(['one']);
  expect(hasNothingToDo(audience.state)).toBe(false);
  audience.end('d1');
  expect(hasNothingToDo(audience.state)).toBe(true);
});

it('gathers again while there is more, and once more for what came while it gathered', () => {
  let { state, effects } = onNotifyEvent(audience.state, { kind: 'clock' }, 0, () => '');
  expect(effects).toEqual([{ kind: 'gather' }]);
  ({ state, effects } = onNotifyEvent(state, { kind: 'eventsWaiting' }, 0, () => ''));
  expect(effects).toEqual([]);
  const gathered: Gathered = { ...audience.books, more: false };
  ({ state, effects } = onNotifyEvent(state, { kind: 'gathered', gathered }, 0, () => ''));
  expect(effects).toEqual([{ kind: 'gather' }]);
  ({ state, effects } = onNotifyEvent(
    state,
    { kind: 'gathered', gathered: { ...gathered, more: true } },
    0,
    () => '',
  ));
  expect(effects).toEqual([{ kind: 'gather' }]);
});

it('forgets a channel that is there no more, once its message has ended', () => {
  audience.endsAtOnce = false;
  audience.happens('one', 1);
  audience.pass(MINUTE);
  audience.books.channels = [];
  audience.happens('two', 1);
  expect(audience.state.channels).toHaveLength(1);
  audience.end('d1');
  audience.happens('two', 1);
  expect(audience.state.channels).toEqual([]);
});

it('keeps the latest malformed messages', () => {
  for (let i = 0; i < 20; i++)
    audience.hear({ kind: 'malformed', name: 'deliveryEnded', reason: `reason ${i}` });
  expect(audience.state.rejectedMessages).toHaveLength(10);
  expect(audience.state.rejectedMessages[9]).toBe('deliveryEnded: reason 19');
});
