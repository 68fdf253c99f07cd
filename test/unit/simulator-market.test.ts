import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Market } from '../../simulator/market/market';
import type { PoolRecord } from '../../simulator/market/market';
import { readRecordedMarket } from '../../simulator/market/recorded';
import { RunLengths } from '../../simulator/market/run-lengths';
import { makeSyntheticMarket } from '../../simulator/market/synthetic';

const pool = (overrides: Partial<PoolRecord> = {}): PoolRecord => ({
  region: 'r-1',
  zone: 'r-1a',
  instanceType: 'x.large',
  gapSeconds: 10,
  onDemandPrice: 1,
  available: new RunLengths([
    [true, 3],
    [false, 2],
  ]),
  spotPrice: new RunLengths([
    [0.3, 4],
    [0.4, 1],
  ]),
  ...overrides,
});

describe('a series of run lengths', () => {
  const runs = new RunLengths([
    [true, 3],
    [false, 0],
    [false, 2],
    [true, 1],
  ]);

  test('says the value at each tick and starts over at its end', () => {
    expect([0, 1, 2, 3, 4, 5, 6, 9, 10].map((tick) => runs.at(tick))).toEqual([
      true,
      true,
      true,
      false,
      false,
      true,
      true,
      false,
      false,
    ]);
  });

  test('finds the next other value, over its seam too', () => {
    expect([0, 2, 3, 5, 8].map((tick) => runs.nextChange(tick))).toEqual([3, 3, 5, 9, 9]);
    expect(new RunLengths([['a', 5]]).nextChange(3)).toBe(Infinity);
  });

  test('finds where the value in force began', () => {
    expect([0, 2, 4, 5, 7, 9].map((tick) => runs.beganAt(tick))).toEqual([0, 0, 3, 5, 5, 9]);
    expect(new RunLengths([['a', 5]]).beganAt(23)).toBe(0);
  });

  test('needs a tick', () => expect(() => new RunLengths([[1, 0]])).toThrow(RangeError));
});

describe('a market', () => {
  test('tells pools and prices by moment, from the tick it opens at', () => {
    const record = pool();
    const market = new Market('m', [record], 2);
    expect(market.isAvailable(record, 0)).toBe(true);
    expect(market.isAvailable(record, 9.99)).toBe(true);
    expect(market.isAvailable(record, 10)).toBe(false);
    expect(market.spotPrice(record, 20)).toBe(0.4);
  });

  test('names the next moment at which any pool comes or goes', () => {
    const other = pool({ zone: 'r-1b', gapSeconds: 7 });
    const market = new Market('m', [pool(), other]);
    expect(market.nextAvailabilityChange(0)).toBe(21);
    expect(market.nextAvailabilityChange(21)).toBe(30);
    expect(market.nextAvailabilityChange(30)).toBe(35);
  });

  test('lists price changes with the one in force at the start', () => {
    const record = pool();
    const market = new Market('m', [record]);
    expect(market.priceChanges(record, 20, 100)).toEqual([
      { at: 0, price: 0.3 },
      { at: 40, price: 0.4 },
      { at: 50, price: 0.3 },
      { at: 90, price: 0.4 },
      { at: 100, price: 0.3 },
    ]);
    expect(market.priceChanges(record, -500, -400)).toEqual([{ at: 0, price: 0.3 }]);
  });
});

describe('the synthetic market', () => {
  const market = makeSyntheticMarket(7);
  const SEEDS = Array.from({ length: 8 }, (_, index) => index + 1);

  /** Of one seed: lives in minutes, and how often siblings and strangers are there shortly after a pool is lost. */
  function habitsOf(seed: number) {
    const pools = makeSyntheticMarket(seed).pools();
    const lives: number[] = [];
    const after = { sibling: [0, 0], stranger: [0, 0] } as Record<'sibling' | 'stranger', [number, number]>;
    for (const lost of pools) {
      const { available, gapSeconds } = lost;
      for (let tick = 0, up = true; ; up = !up) {
        const next = available.nextChange(tick);
        if (next >= available.ticks) break;
        if (up) {
          lives.push(((next - tick) * gapSeconds) / 60);
          for (const other of pools) {
            if (other === lost || other.instanceType !== lost.instanceType) continue;
            const count = after[other.region === lost.region ? 'sibling' : 'stranger'];
            count[0]++;
            if (other.available.at(next + 3)) count[1]++;
          }
        }
        tick = next;
      }
    }
    const share = (from: number, to: number) =>
      lives.filter((minutes) => minutes >= from && minutes <= to).length / lives.length;
    return {
      middling: share(20, 80),
      short: share(0, 15),
      siblingUp: after.sibling[1] / after.sibling[0],
      strangerUp: after.stranger[1] / after.stranger[0],
    };
  }
  const habits = SEEDS.map(habitsOf);
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

  test('has lives as recorded ones have: half of 20 to 80 minutes, 20 to 40 % within 15', () => {
    for (const { middling, short } of habits) {
      expect(middling).toBeGreaterThan(0.5);
      expect(short).toBeGreaterThan(0.2);
      expect(short).toBeLessThan(0.4);
    }
  });

  test('loses zones of a region together, where siblings are there half of the time instead of nine times in ten', () => {
    for (const { siblingUp } of habits) {
      expect(siblingUp).toBeGreaterThan(0.45);
      expect(siblingUp).toBeLessThan(0.65);
    }
    const strangers = habits.map(({ strangerUp }) => strangerUp);
    expect(mean(strangers)).toBeGreaterThan(0.89);
    expect(Math.min(...strangers)).toBeGreaterThan(0.87);
  });

  test('has spot prices well below on-demand ones, which move slowly', () => {
    for (const pool of market.pools()) {
      const prices = market.priceChanges(pool, 0, 30 * 86_400 - 1).map(({ price }) => price);
      expect(prices.length).toBeGreaterThan(80);
      expect(Math.max(...prices)).toBeLessThanOrEqual(0.8 * pool.onDemandPrice + 1e-4);
      const steps = prices.slice(1).map((price, index) => Math.abs(price / (prices[index] as number) - 1));
      expect(Math.max(...steps)).toBeLessThan(0.04);
    }
  });

  test('is the same for the same seed, another for another, and all there when it opens', () => {
    const shape = (seed: number) =>
      makeSyntheticMarket(seed)
        .pools()
        .map((record) => record.available.nextChange(0));
    expect(shape(7)).toEqual(shape(7));
    expect(shape(7)).not.toEqual(shape(8));
    expect(market.pools().every((record) => market.isAvailable(record, 0))).toBe(true);
    expect(market.regions()).toHaveLength(2);
    for (const region of market.regions()) expect(market.zones(region)).toHaveLength(3);
  });
});

describe('a recorded market', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'traces-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const trace = (changes: Record<string, unknown> = {}) =>
    JSON.stringify({
      zone: 'r-1a',
      region: 'r-1',
      instance_type: 'x.large',
      gap_seconds: 600,
      start: '2023-02-15T22:15:25Z',
      on_demand_price_usd_per_hour: 1,
      available_runs: [
        [0, 2],
        [1, 3],
      ],
      spot_price_usd_per_hour_runs: [[0.3, 5]],
      source: 'made for this test',
      ...changes,
    });

  test('is a folder of files or of such folders; of a pool recorded twice the finer ticks are taken', () => {
    for (const name of ['old', 'new']) mkdirSync(path.join(folder, name));
    writeFileSync(path.join(folder, 'old', 'a.json'), trace());
    writeFileSync(path.join(folder, 'new', 'a.json'), trace({ gap_seconds: 195 }));
    writeFileSync(path.join(folder, 'b.json'), trace({ zone: 'r-1b' }));
    const market = readRecordedMarket(folder);
    expect(market.pools().map(({ zone, gapSeconds }) => [zone, gapSeconds])).toEqual([
      ['r-1b', 600],
      ['r-1a', 195],
    ]);
    const [record] = market.pools();
    expect(record && [market.isAvailable(record, 1199), market.isAvailable(record, 1200)]).toEqual([
      false,
      true,
    ]);
  });

  test.each([
    ['no file', {}, /holds no \.json file/],
    ['no JSON', { 'a.json': '{' }, /a\.json is not JSON/],
    ['another shape', { 'a.json': trace({ available_runs: [] }) }, /a\.json is not usable: available_runs/],
  ])('with %s is refused with a sentence', (_, files, sentence) => {
    for (const [name, text] of Object.entries(files)) writeFileSync(path.join(folder, name), text);
    expect(() => readRecordedMarket(folder)).toThrow(sentence);
  });

  test('in a folder that is not there is refused with a sentence', () =>
    expect(() => readRecordedMarket(path.join(folder, 'absent'))).toThrow(/can't be read/));
});
