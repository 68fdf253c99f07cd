import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Books } from '../../simulator/books/books';
import { CloudClock } from '../../simulator/clock';

describe('the books', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'books-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const opened = async () => {
    const books = new Books(folder);
    await books.open((error) => {
      throw error;
    });
    return books;
  };
  const file = () => path.join(folder, 'journal.jsonl');

  test('hold over a kill all that was durable, the time too', async () => {
    const books = await opened();
    books.commit(10, [['pool', 'a', { available: false }]]);
    books.commit(11, [
      ['pool', 'a', null],
      ['pool', 'b', { available: true }],
    ]);
    books.keepTime(12.5);
    await books.durable();
    const again = new Books(folder); // The first was never closed.
    expect(again.get('pool', 'a')).toBeUndefined();
    expect(again.get('pool', 'b')).toEqual({ available: true });
    expect(again.position).toBe(12.5);
    await books.close();
  });

  test('drop a line that was torn by the kill, whole', async () => {
    const books = await opened();
    books.commit(1, [['pool', 'a', { available: true }]]);
    await books.close();
    appendFileSync(file(), '{"at":2,"puts":[["pool","a",null],["pool","b",{"avail');
    const again = await opened();
    expect(again.get('pool', 'a')).toEqual({ available: true });
    expect(again.get('pool', 'b')).toBeUndefined();
    again.commit(3, [['pool', 'c', { available: true }]]);
    await again.close();
    expect(new Books(folder).get('pool', 'c')).toEqual({ available: true });
  });

  test('refuse a damaged line in the middle with a sentence', () => {
    writeFileSync(file(), '{"at":1}\n{"at":\n{"at":2}\n');
    expect(() => new Books(folder)).toThrow(/line 2 of .*journal\.jsonl is damaged; --fresh starts over/);
  });

  test('are one line after they are opened again', async () => {
    const books = await opened();
    for (let at = 0; at < 50; at++) books.commit(at, [['pool', 'a', { available: at % 2 === 0 }]]);
    await books.close();
    await (await opened()).close();
    expect(readFileSync(file(), 'utf8').trim().split('\n')).toHaveLength(1);
  });
});

describe("the cloud's clock", () => {
  const start = (settings: {
    position?: number;
    paused?: boolean;
    anchors?: { cloud: number; wall: number }[];
  }) => {
    let real = 5000;
    const clock = new CloudClock({
      speed: 60,
      paused: false,
      position: 0,
      anchors: [],
      monotonic: () => real,
      wall: () => 1_000_000 + real,
      ...settings,
    });
    return { clock, pass: (milliseconds: number) => (real += milliseconds) };
  };

  test('passes as fast as its speed, from where the last run ended', () => {
    const { clock, pass } = start({ position: 300 });
    pass(2000);
    expect(clock.now()).toBe(420);
    expect(clock.millisecondsUntil(480)).toBe(1000);
    expect(clock.millisecondsUntil(400)).toBe(0);
  });

  test('tells a moment of an earlier run the same wall time, and leaves our absence out', () => {
    const { clock } = start({ position: 600, anchors: [{ cloud: 0, wall: 0 }] });
    expect(clock.wallAt(300).getTime()).toBe(5000);
    expect(clock.wallAt(660).getTime()).toBe(1_006_000);
    expect(clock.cloudAt(new Date(1_006_000))).toBe(660);
    expect(clock.cloudAt(new Date(5000))).toBe(300);
    expect(clock.cloudAt(new Date(900_000))).toBe(600);
  });

  test('stands still when paused, but for being moved on', () => {
    const { clock, pass } = start({ paused: true });
    pass(60_000);
    expect(clock.now()).toBe(0);
    expect(clock.millisecondsUntil(1)).toBe(Infinity);
    clock.advance(90);
    expect(clock.now()).toBe(90);
    expect(clock.wallAt(90).getTime()).toBe(1_065_000);
    expect(clock.wallAt(0).getTime()).toBe(1_063_500);
  });
});
