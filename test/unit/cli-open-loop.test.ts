/** The load of the benches: on a schedule of its own, latency counted from when a call was due. */
import { openLoop } from '../../cli/bench/open-loop';
import { percentile } from '../../cli/bench/figures';

const signal = () => new AbortController().signal;

test('a call waits for no other', async () => {
  let releaseFirst!: () => void;
  const first = new Promise<void>((resolve) => (releaseFirst = resolve));
  const result = await openLoop({ count: 5, perSecond: 200, signal: signal() }, async (index) => {
    if (index === 4) releaseFirst();
    if (index === 0) await first;
  });
  expect(result.milliseconds).toHaveLength(5);
  // The first was answered when the last was due, 20 ms after itself.
  expect(Math.max(...result.milliseconds)).toBeGreaterThanOrEqual(20);
});

test('a call that is made late has been waiting since it was due', async () => {
  const result = await openLoop({ count: 3, perSecond: 100, signal: signal() }, async (index) => {
    const end = performance.now() + 60;
    while (index === 0 && performance.now() < end); // Holds the whole process up, as its own load may.
  });
  // Due at 10 and 20 ms, made at 60.
  expect(result.milliseconds.filter((milliseconds) => milliseconds >= 40)).toHaveLength(3);
});

test('a failure is kept apart, and the schedule is never said to have gone faster than it did', async () => {
  const result = await openLoop({ count: 4, perSecond: 100, signal: signal() }, (index) =>
    index % 2 === 0 ? Promise.resolve() : Promise.reject(new Error(`no ${index}`)),
  );
  expect(result.milliseconds).toHaveLength(2);
  expect(result.failures).toEqual([new Error('no 1'), new Error('no 3')]);
  expect(result.seconds).toBeGreaterThanOrEqual(0.04);
});

test('an abort ends it before the next call', async () => {
  const abort = new AbortController();
  const called: number[] = [];
  const run = openLoop({ count: 100, perSecond: 1, signal: abort.signal }, async (index) => {
    called.push(index);
    abort.abort(new Error('enough'));
  });
  await expect(run).rejects.toMatchObject({ name: 'AbortError', cause: new Error('enough') });
  expect(called).toEqual([0]);
});

test('percentiles are values that were measured, and none of nothing', () => {
  const values = [4, 1, 3, 2];
  expect([0, 0.25, 0.5, 0.99, 1].map((share) => percentile(values, share))).toEqual([1, 1, 2, 4, 4]);
  expect(percentile([], 0.5)).toBeNull();
});
