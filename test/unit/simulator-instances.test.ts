import type { Instance } from '../../simulator/books/entities';
import { newInstance } from '../../simulator/instances/new-instance';
import { judgeToken, requestFingerprint, tokenKey } from '../../simulator/instances/client-tokens';
import {
  end,
  giveNotice,
  nextChange,
  nextState,
  SPOT_STOPPED,
  SPOT_TAKEN,
  start,
  stop,
  USER_ENDED,
} from '../../simulator/instances/lifecycle';

const pending = (overrides: Partial<Instance> = {}): Instance => ({
  ...newInstance({
    region: 'r-1',
    zone: 'r-1a',
    instanceType: 'x.large',
    imageId: 'ami-1',
    option: 'spot',
    now: 100,
    runsAt: 120,
  }),
  ...overrides,
});
const taken = (seconds: number) => ({ action: 'terminate', cause: 'capacity', seconds }) as const;
const step = (instance: Instance, now: number) => nextState(instance, now, () => 5);

describe("an instance's life", () => {
  test('goes from pending to running to its end, and is forgotten an hour later', () => {
    const start = pending();
    expect(nextChange(start)).toBe(120);
    expect(step(start, 119.9)).toBe(start);
    const running = step(start, 120) as Instance;
    expect(running.state).toBe('running');
    expect(nextChange(running)).toBe(Infinity);
    const ending = end(running, 200, USER_ENDED, 5);
    expect(ending).toMatchObject({ state: 'shutting-down', endedAt: 200, endReason: USER_ENDED });
    const terminated = step(ending, 205) as Instance;
    expect(terminated.state).toBe('terminated');
    expect(nextChange(terminated)).toBe(3805);
    expect(step(terminated, 3804)).toBe(terminated);
    expect(step(terminated, 3805)).toBeNull();
  });

  test('ends at the deadline of its notice, also before it has booted', () => {
    const noticed = giveNotice(pending({ state: 'running' }), 150, taken(120));
    expect(nextChange(noticed)).toBe(270);
    expect(step(noticed, 270)).toMatchObject({
      state: 'shutting-down',
      endReason: SPOT_TAKEN,
      terminatesAt: 275,
    });
    const early = giveNotice(pending(), 100, taken(10));
    expect(step(early, 110)).toMatchObject({ state: 'shutting-down', endReason: SPOT_TAKEN });
  });

  test('keeps its first notice and its first end', () => {
    const noticed = giveNotice(pending(), 100, taken(120));
    expect(giveNotice(noticed, 110, taken(120))).toBe(noticed);
    const ended = end(noticed, 130, USER_ENDED, 5);
    expect(end(ended, 140, SPOT_TAKEN, 5)).toBe(ended);
    expect(giveNotice(ended, 140, taken(120))).toBe(ended);
  });
});

describe('an instance that stops', () => {
  const running = pending({ state: 'running', publicIp: '198.18.0.1', privateIp: '10.0.0.1' });
  const how = { by: 'stop', reason: USER_ENDED, seconds: 5 } as const;

  test('is stopping for a while, stopped for good, and starts with its disks, elsewhere', () => {
    const stopping = stop(running, 200, how);
    expect(stopping).toMatchObject({ state: 'stopping', stoppedAt: 200, endReason: USER_ENDED });
    expect(step(stopping, 204)).toBe(stopping);
    const stopped = step(stopping, 205) as Instance;
    expect(stopped.state).toBe('stopped');
    expect(nextChange(stopped)).toBe(Infinity);
    const again = start(stopped, 900, { runsAt: 930, publicIp: '198.18.0.2' });
    expect(again).toMatchObject({
      ...{ id: running.id, state: 'pending', launchedAt: 900, privateIp: '10.0.0.1' },
      ...{ publicIp: '198.18.0.2', endReason: null, stoppedBy: null, devices: running.devices },
    });
    expect(nextChange(again)).toBe(930);
  });

  test('can be ended at any time, and nothing stops or starts what has ended', () => {
    for (const state of ['stopping', 'stopped'] as const)
      expect(end({ ...running, state }, 300, USER_ENDED, 5).state).toBe('shutting-down');
    const ended = end(running, 300, USER_ENDED, 5);
    expect(stop(ended, 301, how)).toBe(ended);
    expect(start(ended, 301, { runsAt: 301, publicIp: '' })).toBe(ended);
    expect(start(running, 301, { runsAt: 301, publicIp: '' })).toBe(running);
  });

  test('for an interruption does so at its deadline, and remembers it when it is back', () => {
    const noticed = giveNotice(running, 150, { action: 'stop', cause: 'capacity', seconds: 120 });
    expect(nextChange(noticed)).toBe(270);
    const stopping = step(noticed, 270) as Instance;
    expect(stopping).toMatchObject({ state: 'stopping', stoppedBy: 'stop', endReason: SPOT_STOPPED });
    const back = start(step(stopping, 275) as Instance, 500, { runsAt: 520, publicIp: '' });
    expect(back).toMatchObject({ notice: null, lastTerminationTime: 270 });
  });

  test('to hibernate has no two minutes', () => {
    const noticed = giveNotice(running, 150, { action: 'hibernate', cause: 'capacity', seconds: 120 });
    expect(nextChange(noticed)).toBe(150);
    expect(step(noticed, 150)).toMatchObject({ state: 'stopping', stoppedBy: 'hibernate' });
  });
});

describe('a client token', () => {
  const request = new Map([
    ['Action', 'RunInstances'],
    ['ImageId', 'ami-1'],
    ['ClientToken', 't'],
  ]);
  const instance = pending({ id: 'i-1' });
  const use = { fingerprint: requestFingerprint(request), instanceIds: ['i-1'] };

  test('is new until it was used', () =>
    expect(judgeToken(undefined, use.fingerprint, 0, () => instance)).toEqual({ kind: 'new' }));

  test('stands for the same launch under the same parameters, in any order', () => {
    const shuffled = requestFingerprint(new Map([...request].reverse()));
    expect(judgeToken(use, shuffled, 0, () => instance)).toEqual({ kind: 'same', instances: [instance] });
  });

  test('is refused with other parameters, more or less', () => {
    for (const other of [new Map([...request, ['KeyName', 'k']]), new Map([...request].slice(0, 1))]) {
      expect(judgeToken(use, requestFingerprint(other), 0, () => instance).kind).toBe('mismatch');
    }
  });

  test('of a launch that has been terminated, or forgotten since, is refused', () => {
    for (const gone of [{ ...instance, state: 'terminated' as const }, undefined]) {
      expect(judgeToken(use, use.fingerprint, 0, () => gone)).toEqual({
        kind: 'terminated',
        instanceIds: ['i-1'],
      });
    }
    const ending = { ...instance, state: 'shutting-down' as const };
    expect(judgeToken(use, use.fingerprint, 0, () => ending).kind).toBe('same');
  });

  test('is free a day after its last instance was forgotten', () => {
    const gone = { ...use, goneAt: 1000 };
    const verdict = (now: number) => judgeToken(gone, use.fingerprint, now, () => undefined).kind;
    expect([verdict(87_399), verdict(87_400)]).toEqual(['terminated', 'new']);
  });

  test('is one a zone when the request names a zone, else one a region', () => {
    expect(tokenKey('t', 'r-1', 'r-1a')).not.toBe(tokenKey('t', 'r-1', 'r-1b'));
    expect(tokenKey('t', 'r-1', null)).not.toBe(tokenKey('t', 'r-2', null));
  });
});
