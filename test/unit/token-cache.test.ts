/** What is remembered of tokens, and for how long. */
import { TokenCache } from '../../api/http/token-cache';
import { type TokenHolder, tokenHash } from '../../db/tokens';

const client = (clientId: string): TokenHolder => ({ kind: 'client', clientId });

function subject({ room }: { room?: number } = {}) {
  const books = new Map<string, TokenHolder>();
  const asked: string[] = [];
  let nowMs = 0;
  let held: (() => void)[] | null = null;
  const cache = new TokenCache({
    now: () => nowMs,
    ...(room !== undefined && { room }),
    find: async (hash) => {
      asked.push(hash);
      const found = books.get(hash) ?? null;
      if (held) await new Promise<void>((resolve) => held?.push(resolve));
      return found;
    },
  });
  return {
    cache,
    asked,
    add: (token: string) => books.set(tokenHash(token), client(token)),
    revoke: (token: string) => books.delete(tokenHash(token)),
    after: (milliseconds: number) => (nowMs += milliseconds),
    hold: () => (held = []),
    release: () => {
      const waiting = held ?? [];
      held = null;
      for (const resolve of waiting) resolve();
    },
  };
}

test('a good token is asked for once in minutes while revocations are heard', async () => {
  const { cache, asked, add, after } = subject();
  cache.heard();
  add('good');
  expect(await cache.holder('good')).toEqual(client('good'));
  after(4 * 60_000);
  expect(cache.holder('good')).toEqual(client('good')); // At once, no promise.
  expect(asked).toHaveLength(1);
  after(2 * 60_000);
  await cache.holder('good');
  expect(asked).toHaveLength(2);
});

test('a revocation is obeyed at once', async () => {
  const { cache, add, revoke } = subject();
  cache.heard();
  add('good');
  await cache.holder('good');
  revoke('good');
  expect(await cache.holder('good')).toEqual(client('good'));
  cache.revoked(tokenHash('good'));
  expect(await cache.holder('good')).toBeNull();
});

test('what was looked up while its revocation arrived is not remembered, and nobody else gets it', async () => {
  const { cache, add, revoke, hold, release } = subject();
  cache.heard();
  add('good');
  hold();
  const before = cache.holder('good');
  revoke('good');
  cache.revoked(tokenHash('good'));
  const after = cache.holder('good');
  release();
  expect(await before).toEqual(client('good'));
  expect(await after).toBeNull();
  expect(await cache.holder('good')).toBeNull();
});

test('without a listener nothing is kept for longer than a moment, and what was kept is dropped', async () => {
  const { cache, asked, add, revoke, after } = subject();
  cache.heard();
  add('good');
  await cache.holder('good');
  cache.lost();
  revoke('good'); // Nobody says so.
  expect(await cache.holder('good')).toBeNull();
  add('other');
  await cache.holder('other');
  after(2_000);
  await cache.holder('other');
  expect(asked).toHaveLength(3);
  after(2_000);
  await cache.holder('other');
  expect(asked).toHaveLength(4);
  cache.heard(); // What was missed meanwhile is unknown.
  await cache.holder('other');
  expect(asked).toHaveLength(5);
});

test('a wrong token is asked for once in a while only', async () => {
  const { cache, asked, add, after } = subject();
  cache.heard();
  expect(await cache.holder('wrong')).toBeNull();
  expect(cache.holder('wrong')).toBeNull();
  expect(asked).toHaveLength(1);
  add('wrong');
  after(6_000);
  expect(await cache.holder('wrong')).toEqual(client('wrong'));
});

test('many that ask for one token at once share a look', async () => {
  const { cache, asked, add } = subject();
  add('good');
  await Promise.all(Array.from({ length: 100 }, () => cache.holder('good')));
  expect(asked).toHaveLength(1);
});

test('wrong tokens take none of the room of good ones, and the oldest gives way to the newest', async () => {
  const { cache, asked, add } = subject({ room: 2 });
  cache.heard();
  for (const token of ['a', 'b', 'c']) add(token);
  await cache.holder('a');
  await cache.holder('b');
  for (let number = 0; number < 12_000; number += 1) await cache.holder(`wrong ${number}`);
  expect(cache.holder('a')).toEqual(client('a'));
  await cache.holder('c');
  expect(cache.holder('b')).toEqual(client('b'));
  const before = asked.length;
  await cache.holder('a');
  expect(asked.length).toBe(before + 1);
});

test('a database that is away is not taken for an answer', async () => {
  let away = true;
  const cache = new TokenCache({
    find: () => (away ? Promise.reject(new Error('away')) : Promise.resolve(client('good'))),
  });
  await expect(cache.holder('good')).rejects.toThrow('away');
  away = false;
  expect(await cache.holder('good')).toEqual(client('good'));
});
