import { inBatches, type Verdict } from '../../cloud/batching';
import { CloudError } from '../../cloud/cloud-error';
import { allPages } from '../../cloud/paging';

const ids = (count: number) => Array.from({ length: count }, (_, index) => `i-${index}`);
const sift: Verdict = (error) => (error.kind === 'already_done' ? 'sift' : 'throw');

/** An EC2 that fails a whole call over some ids, naming the first `named` of them. */
function picky(bad: readonly string[], named = Infinity) {
  const calls: string[][] = [];
  const call = async (asked: string[]) => {
    calls.push(asked);
    const refused = asked.filter((id) => bad.includes(id));
    if (refused.length === 0) return asked;
    const cause = new Error(`The instance IDs '${refused.slice(0, named).join(', ')}' do not exist`);
    throw new CloudError({ kind: 'already_done', code: 'InvalidInstanceID.NotFound' }, 'refused', { cause });
  };
  return { call, calls };
}

describe('batches', () => {
  it('ask for at most a hundred at once, and once for each', async () => {
    const { call, calls } = picky([]);
    const { replies, refused } = await inBatches([...ids(250), 'i-0'], call, sift);
    expect(calls.map((one) => one.length)).toEqual([100, 100, 50]);
    expect(replies.flat()).toEqual(ids(250));
    expect(refused.size).toBe(0);
  });

  it('ask nothing for no ids', async () => {
    const { call, calls } = picky([]);
    expect((await inBatches([], call, sift)).replies).toEqual([]);
    expect(calls).toEqual([]);
  });

  it.each([
    ['named', Infinity],
    ['named in part', 1],
    ['not named', 0],
  ])('lose only the refused ones, whether EC2 has %s them', async (_, named) => {
    const bad = ['i-3', 'i-40', 'i-99'];
    const { call, calls } = picky(bad, named);
    const { replies, refused } = await inBatches(ids(100), call, sift);
    expect([...refused.keys()].sort()).toEqual(bad);
    expect(replies.flat().sort()).toEqual(
      ids(100)
        .filter((id) => !bad.includes(id))
        .sort(),
    );
    expect(calls.length).toBeLessThan(named === Infinity ? 6 : 45);
  });

  it('end when every id is refused', async () => {
    const { refused } = await inBatches(ids(9), picky(ids(9)).call, sift);
    expect(refused.size).toBe(9);
  });

  it('throw what is over no id, or keep it for the whole batch', async () => {
    const throttled = new CloudError({ kind: 'throttled', code: 'RequestLimitExceeded' }, 'slower');
    const call = () => Promise.reject(throttled);
    await expect(inBatches(ids(3), call, sift)).rejects.toBe(throttled);
    const { refused } = await inBatches(ids(3), call, () => 'refuse');
    expect([...refused.values()]).toEqual([throttled, throttled, throttled]);
  });
});

describe('pages', () => {
  /** Pages by the token that asks for them. */
  const from = (pages: Record<string, [string[], string | undefined]>) => (token: string | undefined) => {
    const [items, nextToken] = pages[token ?? 'first']!;
    return Promise.resolve({ items, nextToken });
  };
  const all = (pages: Record<string, [string[], string | undefined]>) =>
    allPages('DescribeInstances', from(pages), (item) => item);

  it('are read to the end, which an empty token says as well as none', async () => {
    expect(await all({ first: [['a'], 'x'], x: [['b'], ''] })).toEqual(['a', 'b']);
    expect(await all({ first: [['a'], undefined] })).toEqual(['a']);
  });

  it('go on after an empty one with a token', async () => {
    expect(await all({ first: [[], 'x'], x: [['b'], undefined] })).toEqual(['b']);
  });

  it('count once what two of them show', async () => {
    expect(await all({ first: [['a', 'b'], 'x'], x: [['b', 'c'], undefined] })).toEqual(['a', 'b', 'c']);
  });

  it('never go round in a circle', async () => {
    await expect(all({ first: [['a'], 'x'], x: [['b'], 'x'] })).rejects.toMatchObject({ code: 'PagingLoop' });
  });
});
