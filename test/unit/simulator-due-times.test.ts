import { DueTimes } from '../../simulator/due-times';
import { seededRandom } from '../../simulator/market/random';

describe('due times', () => {
  test('come up in order, each thing once, at the moment set last', () => {
    const due = new DueTimes();
    due.set('a', 30);
    due.set('b', 10);
    due.set('c', 20);
    due.set('b', 40);
    due.set('c', Infinity);
    expect(due.next()).toBe(30);
    expect(due.take(29)).toEqual([]);
    expect(due.take(35)).toEqual(['a']);
    expect(due.take(100)).toEqual(['b']);
    expect(due.next()).toBe(Infinity);
    expect(due.take(1e9)).toEqual([]);
  });

  test('can be set anew for what was taken, also to the same moment', () => {
    const due = new DueTimes();
    due.set('a', 5);
    expect(due.take(5)).toEqual(['a']);
    due.set('a', 5);
    expect(due.take(5)).toEqual(['a']);
    due.set('a', 7);
    due.drop('a');
    expect(due.next()).toBe(Infinity);
  });

  test('are what a sorted list would say, through a storm of changes', () => {
    const random = seededRandom(4);
    const due = new DueTimes();
    const plain = new Map<string, number>();
    for (let step = 0; step < 5_000; step++) {
      const id = `i-${Math.floor(random() * 300)}`;
      const kind = random();
      if (kind < 0.7) {
        const moment = Math.floor(random() * 1000);
        due.set(id, moment);
        plain.set(id, moment);
      } else if (kind < 0.8) {
        due.drop(id);
        plain.delete(id);
      } else {
        const now = Math.floor(random() * 120);
        const expected = [...plain].filter(([, moment]) => moment <= now);
        const taken = due.take(now);
        expect(taken.map((one) => plain.get(one))).toEqual(
          expected.map(([, moment]) => moment).sort((a, b) => a - b),
        );
        for (const one of taken) plain.delete(one);
      }
      expect(due.next()).toBe(Math.min(Infinity, ...plain.values()));
    }
  });
});
