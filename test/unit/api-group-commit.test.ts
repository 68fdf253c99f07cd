import { GroupCommit, Overloaded } from '../../api/intake/group-commit';

interface Item {
  key: string;
  value: number;
}

/** A store whose commits the test ends one by one. */
function controlled(limits: { maxBatch?: number; maxWaiting?: number } = {}) {
  const batches: Item[][] = [];
  const endings: ((error?: Error) => void)[] = [];
  const commits = new GroupCommit<Item, number>({
    keyOf: (item) => item.key,
    maxBatch: limits.maxBatch ?? 100,
    maxWaiting: limits.maxWaiting ?? 100,
    store: (items) => {
      batches.push(items);
      return new Promise((resolve, reject) => {
        endings.push((error) => (error ? reject(error) : resolve(items.map((item) => item.value * 10))));
      });
    },
  });
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return {
    commits,
    batches,
    async end(error?: Error) {
      await turn();
      endings.shift()!(error);
      await turn();
    },
  };
}

const item = (key: string, value: number): Item => ({ key, value });

test('what arrives together is stored together, and each is answered with its own', async () => {
  const { commits, batches, end } = controlled();
  const answers = [commits.submit(item('a', 1)), commits.submit(item('b', 2)), commits.submit(item('c', 3))];
  await end();
  expect(await Promise.all(answers)).toEqual([10, 20, 30]);
  expect(batches).toHaveLength(1);
});

test('one of a key a batch, in order; what comes meanwhile makes the next', async () => {
  const { commits, batches, end } = controlled();
  const first = [commits.submit(item('a', 1)), commits.submit(item('a', 2)), commits.submit(item('b', 3))];
  await new Promise((resolve) => setImmediate(resolve));
  const later = [commits.submit(item('a', 4)), commits.submit(item('c', 5))];
  await end();
  await end();
  await end();
  expect(await Promise.all([...first, ...later])).toEqual([10, 20, 30, 40, 50]);
  expect(batches.map((batch) => batch.map((one) => one.value))).toEqual([[1, 3], [2, 5], [4]]);
  await commits.idle();
});

test('no answer comes before the commit', async () => {
  const { commits, end } = controlled();
  let answered = false;
  const answer = commits.submit(item('a', 1)).then(() => (answered = true));
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(answered).toBe(false);
  await end();
  await answer;
});

test('a batch that fails fails all of its own and none of the next', async () => {
  const { commits, end } = controlled();
  const first = Promise.allSettled([commits.submit(item('a', 1)), commits.submit(item('b', 2))]);
  await new Promise((resolve) => setImmediate(resolve));
  const next = commits.submit(item('a', 3));
  await end(new Error('away'));
  expect((await first).map((one) => one.status)).toEqual(['rejected', 'rejected']);
  await end();
  expect(await next).toBe(30);
});

test('a batch has its limit, and so has the queue', async () => {
  const { commits, batches, end } = controlled({ maxBatch: 2, maxWaiting: 3 });
  const taken = [1, 2, 3].map((value) => commits.submit(item(String(value), value)));
  await expect(commits.submit(item('x', 9))).rejects.toThrow(Overloaded);
  await end();
  await end();
  expect(await Promise.all(taken)).toEqual([10, 20, 30]);
  expect(batches.map((batch) => batch.length)).toEqual([2, 1]);
});
