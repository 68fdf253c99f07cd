import { GroupCommit, type GroupCommitOptions, Overloaded } from '../../api/intake/group-commit';

interface Item {
  key: string;
  value: number;
  lane?: string;
}

/** A store whose commits the test ends one by one. */
function controlled(limits: Partial<GroupCommitOptions<Item, number>> = {}) {
  const batches: Item[][] = [];
  const endings: ((error?: Error) => void)[] = [];
  const commits = new GroupCommit<Item, number>({
    keyOf: (item) => item.key,
    laneOf: (item) => item.lane ?? 'one',
    maxBatch: 100,
    maxWaiting: 100,
    maxOfKey: 100,
    atOnce: 1,
    lingerMs: 0,
    enough: 1,
    store: (items) => {
      batches.push(items);
      return new Promise((resolve, reject) => {
        endings.push((error) => (error ? reject(error) : resolve(items.map((item) => item.value * 10))));
      });
    },
    ...limits,
  });
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return {
    commits,
    batches,
    values: () => batches.map((batch) => batch.map((one) => one.value)),
    turn,
    async end(error?: Error) {
      await turn();
      endings.shift()!(error);
      await turn();
    },
  };
}

const item = (key: string, value: number, lane?: string): Item => ({ key, value, lane });
const outcomes = async (answers: Promise<number>[]) =>
  (await Promise.allSettled(answers)).map((one) =>
    one.status === 'fulfilled' ? one.value : (one.reason as Overloaded).by,
  );

test('what arrives together is stored together, and each is answered with its own', async () => {
  const { commits, batches, end } = controlled();
  const answers = [commits.submit(item('a', 1)), commits.submit(item('b', 2)), commits.submit(item('c', 3))];
  await end();
  expect(await Promise.all(answers)).toEqual([10, 20, 30]);
  expect(batches).toHaveLength(1);
});

test('one of a key a batch, in order; what comes meanwhile makes the next', async () => {
  const { commits, values, turn, end } = controlled();
  const first = [commits.submit(item('a', 1)), commits.submit(item('a', 2)), commits.submit(item('b', 3))];
  await turn();
  const later = [commits.submit(item('a', 4)), commits.submit(item('c', 5))];
  await end();
  await end();
  await end();
  expect(await Promise.all([...first, ...later])).toEqual([10, 20, 30, 40, 50]);
  expect(values()).toEqual([[1, 3], [5, 2], [4]]);
  await commits.idle();
});

test('of two batches under way no key is in both', async () => {
  const { commits, values, turn, end } = controlled({ atOnce: 2 });
  const answers = [commits.submit(item('a', 1)), commits.submit(item('b', 2))];
  await turn();
  answers.push(commits.submit(item('a', 3)), commits.submit(item('c', 4)));
  await turn();
  expect(values()).toEqual([[1, 2], [4]]);
  await end();
  expect(values()).toEqual([[1, 2], [4], [3]]);
  await end();
  await end();
  expect(await Promise.all(answers)).toEqual([10, 20, 30, 40]);
  await commits.idle();
});

test('a few linger for more, and enough do not', async () => {
  const { commits, values, turn, end } = controlled({ lingerMs: 20, enough: 3 });
  const answers = [commits.submit(item('a', 1))];
  await turn();
  expect(values()).toEqual([]);
  answers.push(commits.submit(item('b', 2)));
  await new Promise((resolve) => setTimeout(resolve, 40));
  expect(values()).toEqual([[1, 2]]);
  for (const value of [3, 4, 5]) answers.push(commits.submit(item(String(value), value)));
  await end();
  expect(values()).toEqual([
    [1, 2],
    [3, 4, 5],
  ]);
  await end();
  expect(await Promise.all(answers)).toEqual([10, 20, 30, 40, 50]);
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
  const { commits, turn, end } = controlled();
  const first = Promise.allSettled([commits.submit(item('a', 1)), commits.submit(item('b', 2))]);
  await turn();
  const next = commits.submit(item('a', 3));
  await end(new Error('away'));
  expect((await first).map((one) => one.status)).toEqual(['rejected', 'rejected']);
  await end();
  expect(await next).toBe(30);
});

test('a batch has its limit, and so has the queue', async () => {
  const { commits, batches, end } = controlled({ maxBatch: 2, maxWaiting: 3 });
  const taken = [1, 2, 3].map((value) => commits.submit(item(String(value), value)));
  expect(commits.refusal('one')).toBeInstanceOf(Overloaded);
  await expect(commits.submit(item('x', 9))).rejects.toMatchObject({ by: 'all' });
  await end();
  await end();
  expect(await Promise.all(taken)).toEqual([10, 20, 30]);
  expect(batches.map((batch) => batch.length)).toEqual([2, 1]);
});

describe('fairness', () => {
  test('lanes take turns, however much one of them sends', async () => {
    const { commits, values, turn, end } = controlled({ maxBatch: 4 });
    for (let value = 1; value <= 6; value += 1) void commits.submit(item(`flood-${value}`, value, 'flood'));
    void commits.submit(item('quiet-1', 101, 'quiet'));
    void commits.submit(item('other-1', 201, 'other'));
    await turn();
    expect(values()).toEqual([[1, 101, 201, 2]]);
    await end();
    await end();
    expect(values()).toEqual([
      [1, 101, 201, 2],
      [3, 4, 5, 6],
    ]);
    await commits.idle();
  });

  test('a full queue takes what is sent little of, and the flood gives way, its latest first', async () => {
    const { commits, turn, end } = controlled({ maxWaiting: 4, maxBatch: 1 });
    const flood = [1, 2, 3, 4].map((value) => commits.submit(item(`f${value}`, value, 'flood')));
    flood[3]!.catch(() => undefined);
    const quiet = commits.submit(item('q', 7, 'quiet'));
    expect(commits.waiting).toBe(4);
    expect(commits.refusal('quiet')).toBeNull();
    expect(commits.refusal('flood')).toMatchObject({ by: 'sender' });
    await expect(commits.submit(item('f5', 5, 'flood'))).rejects.toMatchObject({ by: 'sender' });
    for (let batch = 0; batch < 4; batch += 1) await end();
    await turn();
    expect(await outcomes([...flood, quiet])).toEqual([10, 20, 30, 'sender', 70]);
    await commits.idle();
  });

  test('an instance that repeats itself has its share', async () => {
    const { commits, end } = controlled({ maxOfKey: 2 });
    const answers = [1, 2, 3].map((value) => commits.submit(item('a', value)));
    answers[2]!.catch(() => undefined);
    const other = commits.submit(item('b', 4));
    await end();
    await end();
    expect(await outcomes([...answers, other])).toEqual([10, 20, 'sender', 40]);
  });

  test('nothing is lost or kept of thousands of items in random lanes', async () => {
    let seed = 42;
    const random = (below: number) => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) % below;
    const stored: Item[] = [];
    const commits = new GroupCommit<Item, number>({
      keyOf: ({ key }) => key,
      laneOf: ({ lane }) => lane as string,
      maxBatch: 20,
      maxWaiting: 50,
      maxOfKey: 5,
      atOnce: 3,
      lingerMs: 0,
      enough: 1,
      store: async (items) => {
        expect(new Set(items.map(({ key }) => key)).size).toBe(items.length);
        await new Promise((resolve) => setImmediate(resolve));
        stored.push(...items);
        return items.map(({ value }) => value);
      },
    });
    const answers: Promise<number>[] = [];
    for (let value = 0; value < 5_000; value += 1) {
      const lane = `lane ${random(4)}`;
      answers.push(commits.submit({ key: `${lane} key ${random(30)}`, value, lane }));
      answers.at(-1)!.catch(() => undefined);
      if (random(15) === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await commits.idle();
    const settled = await Promise.allSettled(answers);
    const acknowledged = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(stored.map(({ value }) => value).sort((a, b) => a - b)).toEqual(acknowledged);
    expect(acknowledged.length).toBeGreaterThan(500);
    expect(settled.length - acknowledged.length).toBeGreaterThan(100);
    const latest = new Map<string, number>();
    for (const { key, value } of stored) {
      expect(value).toBeGreaterThan(latest.get(key) ?? -1);
      latest.set(key, value);
    }
    expect(commits.waiting).toBe(0);
  });
});
