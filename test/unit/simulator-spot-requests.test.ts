import type { Instance, SpotRequest } from '../../simulator/books/entities';
import { newInstance } from '../../simulator/instances/new-instance';
import {
  end,
  giveNotice,
  nextState,
  SPOT_TAKEN,
  start,
  stop,
  USER_ENDED,
} from '../../simulator/instances/lifecycle';
import {
  afterChange,
  cancel,
  expire,
  fulfilledRequest,
  interruptionOf,
  isWaiting,
  nextRequestChange,
} from '../../simulator/spot/request-life';

const HOUR = 3600;

function launched(type: SpotRequest['type'], changes: Partial<Instance> = {}) {
  const instance = newInstance({
    ...{ region: 'r-1', zone: 'r-1a', instanceType: 'm5.large', imageId: 'ami-1', option: 'spot' },
    ...{ now: 100, runsAt: 120, state: 'running' },
    ...(type === 'persistent' && { interruptionBehavior: 'stop' }),
    ...changes,
  });
  const terms = { type, maxPrice: null, validUntil: null, tags: {} };
  return { instance, request: fulfilledRequest(instance, terms, { disks: [], volumeTags: {} }) };
}

/** A request through the changes of its instance: state and status after each. */
function follow(request: SpotRequest, changes: readonly Instance[]): string[] {
  let now = request;
  return changes.map((instance, index) => {
    now = afterChange(now, instance, 200 + index);
    return `${now.state} ${now.status.code}`;
  });
}

const taken = (instance: Instance, action: 'terminate' | 'stop' = 'terminate') =>
  giveNotice(instance, 150, { action, cause: 'capacity', seconds: 120 });
const at = (instance: Instance, now: number) => nextState(instance, now, () => 5) as Instance;

describe('the status of a spot request', () => {
  test('is fulfilled by a launch', () => {
    const { instance, request } = launched('one-time');
    expect(request).toMatchObject({ state: 'active', instanceId: instance.id, createdAt: 100 });
    expect(request.status).toEqual({ code: 'fulfilled', message: expect.any(String), at: 100 });
  });

  test('says at the notice what will have become of the instance for want of capacity, once for all', () => {
    const { instance, request } = launched('one-time');
    const noticed = taken(instance);
    const ending = at(noticed, 270);
    const said = follow(request, [noticed, ending, at(ending, 275)]);
    expect(said).toEqual(Array(3).fill('closed instance-terminated-no-capacity'));
    const { status } = afterChange(request, noticed, 150);
    expect(status.at).toBe(150);
    expect(afterChange(afterChange(request, noticed, 150), ending, 270).status.at).toBe(150);
  });

  test('marks the instance first when it is taken for its price', () => {
    const { instance, request } = launched('one-time');
    const noticed = giveNotice(instance, 150, { action: 'terminate', cause: 'price', seconds: 120 });
    const ending = at(noticed, 270);
    expect(follow(request, [noticed, ending, at(ending, 275)])).toEqual([
      'active marked-for-termination',
      'closed instance-terminated-by-price',
      'closed instance-terminated-by-price',
    ]);
  });

  test('of a one-time request closes when someone terminates the instance; a persistent one opens again', () => {
    const once = launched('one-time');
    const ending = end(once.instance, 150, USER_ENDED, 5);
    expect(follow(once.request, [ending, at(ending, 155)])).toEqual(
      Array(2).fill('closed instance-terminated-by-user'),
    );
    const { instance, request } = launched('persistent');
    const over = end(instance, 150, USER_ENDED, 5);
    expect(follow(request, [over, at(over, 155)])).toEqual([
      'open instance-terminated-by-user',
      'open pending-evaluation',
    ]);
    const open = afterChange(afterChange(request, over, 150), at(over, 155), 155);
    expect(open.instanceId).toBeNull();
    expect(isWaiting(open)).toBe(true);
    expect(nextRequestChange(open)).toBe(160);
    // While the old instance is on its way out there is nothing to fulfil.
    expect(isWaiting(afterChange(request, over, 150))).toBe(false);
  });

  test('goes to disabled with its stopped instance, and back when that starts', () => {
    const { instance, request } = launched('persistent');
    const noticed = taken(instance, 'stop');
    const stopping = at(noticed, 270);
    const stopped = at(stopping, 275);
    const back = start(stopped, 400, { runsAt: 420, publicIp: '' });
    expect(follow(request, [noticed, stopping, stopped, back])).toEqual([
      'active marked-for-stop',
      'active marked-for-stop',
      'disabled instance-stopped-no-capacity',
      'active fulfilled',
    ]);
    const bySomeone = stop(instance, 150, { by: 'stop', reason: USER_ENDED, seconds: 5 });
    const [, disabled] = follow(request, [bySomeone, at(bySomeone, 155)]);
    expect(disabled).toBe('disabled instance-stopped-by-user');
  });

  test('waits for capacity only when EC2 stopped the instance', () => {
    const { instance, request } = launched('persistent');
    const byEc2 = afterChange(request, { ...taken(instance, 'stop'), state: 'stopped' }, 300);
    expect(isWaiting(byEc2)).toBe(true);
    const stopped = { ...instance, state: 'stopped', endReason: USER_ENDED } as const;
    expect(isWaiting(afterChange(request, stopped, 300))).toBe(false);
  });
});

describe('a spot request that is cancelled', () => {
  test('leaves a running instance, which then ends for good', () => {
    const { instance, request } = launched('persistent');
    const cancelled = cancel(request, instance, 200);
    expect([cancelled.state, cancelled.status.code]).toEqual([
      'cancelled',
      'request-canceled-and-instance-running',
    ]);
    expect(nextRequestChange(cancelled)).toBe(Infinity);
    expect(interruptionOf(instance, cancelled)).toBe('terminate');
    const ending = end(instance, 300, SPOT_TAKEN, 5);
    expect(follow(cancelled, [ending, at(ending, 305)])).toEqual(
      Array(2).fill('cancelled instance-terminated-no-capacity'),
    );
  });

  test('is over when it had no instance yet, and says from what state its instance was terminated', () => {
    const { instance, request } = launched('persistent');
    expect(cancel({ ...request, state: 'open', instanceId: null }, undefined, 200).status.code).toBe(
      'canceled-before-fulfillment',
    );
    const stopped: Instance = { ...instance, state: 'stopped' };
    const cancelled = cancel({ ...request, state: 'disabled' }, stopped, 200);
    expect(cancelled.status.code).toBe('instance-terminated-by-service');
    const ending = end(stopped, 200, SPOT_TAKEN, 5);
    expect(follow(cancelled, [ending, at(ending, 205)])).toEqual(
      Array(2).fill('cancelled instance-terminated-by-service'),
    );
    expect(nextRequestChange(cancelled)).toBe(200 + HOUR);
  });

  test('twice, or after its end, stays as it is', () => {
    const { instance, request } = launched('one-time');
    const cancelled = cancel(request, instance, 200);
    expect(cancel(cancelled, instance, 300)).toBe(cancelled);
    const closed: SpotRequest = { ...request, state: 'closed' };
    expect(cancel(closed, undefined, 300)).toBe(closed);
  });
});

test('a spot request that expires leaves a stopped instance stopped, and a running one running', () => {
  const { instance, request } = launched('persistent');
  const timed = { ...request, validUntil: 500 };
  expect(nextRequestChange(timed)).toBe(500);
  const disabled = afterChange(timed, { ...instance, state: 'stopped', endReason: USER_ENDED }, 300);
  const over = expire(disabled, { ...instance, state: 'stopped' }, 500);
  expect([over.state, over.status.code]).toEqual(['cancelled', 'instance-stopped-by-user']);
  expect(expire(timed, instance, 500).status.code).toBe('request-canceled-and-instance-running');
  expect(expire({ ...timed, state: 'open', instanceId: null }, undefined, 500).status.code).toBe(
    'schedule-expired',
  );
});
