import { type Beat, effectOfBeat, type LeaseBefore } from '../../db/heartbeat-news';

const beat = (changes: Partial<Beat> = {}): Beat => ({
  clientId: 'c',
  agentId: 'a',
  instanceId: 'i',
  named: true,
  status: 'online',
  health: 'healthy',
  mode: 'spot',
  zone: 'us-east-1a',
  instanceType: null,
  ...changes,
});
const before = (changes: Partial<LeaseBefore> = {}): LeaseBefore => ({
  state: 'live',
  health: 'healthy',
  mode: 'spot',
  zone: 'us-east-1a',
  heartbeats: 1,
  ...changes,
});
const signal = (one: Beat, was: LeaseBefore | null, everyBeat = false) =>
  effectOfBeat(one, was, 'primary', 1, everyBeat).signal;

test.each<[string, Beat, LeaseBefore | null, string | null]>([
  ['the first ever', beat(), null, 'heartbeat'],
  ['the first after registration', beat(), before({ heartbeats: 0 }), 'heartbeat'],
  ['one like the last', beat(), before(), null],
  ['one that knows less', beat({ mode: null, zone: null }), before(), null],
  ['the first after silence', beat(), before({ state: 'silent' }), 'heartbeat'],
  ['the first after a goodbye', beat(), before({ state: 'offline' }), 'heartbeat'],
  ['another health', beat({ health: 'unhealthy' }), before(), 'heartbeat'],
  ['another mode', beat({ mode: 'ondemand' }), before(), 'heartbeat'],
  ['another zone', beat({ zone: 'us-east-1b' }), before(), 'heartbeat'],
  ['a zone where none was known', beat(), before({ zone: null }), 'heartbeat'],
  ['a goodbye', beat({ status: 'offline' }), before(), 'goneOffline'],
  ['a goodbye said before', beat({ status: 'offline' }), before({ state: 'offline' }), null],
])('%s', (_name, one, was, expected) => {
  expect(signal(one, was)).toBe(expected);
  // With every heartbeat a signal, none is left out.
  expect(signal(one, was, true)).toBe(one.status === 'offline' ? 'goneOffline' : 'heartbeat');
});

test('a superseded instance says nothing, in either mode', () => {
  for (const everyBeat of [false, true]) {
    for (const status of ['online', 'offline'] as const) {
      expect(effectOfBeat(beat({ status }), null, 'superseded', 2, everyBeat).signal).toBeNull();
    }
  }
});

test('an unnamed goodbye ends the lease only while there was but one instance', () => {
  const unnamed = beat({ status: 'offline', named: false });
  expect(effectOfBeat(unnamed, before(), 'primary', 1, false)).toEqual({
    movesLease: true,
    signal: 'goneOffline',
  });
  expect(effectOfBeat(unnamed, before(), 'primary', 2, false)).toEqual({
    movesLease: false,
    signal: 'goneOffline',
  });
});
