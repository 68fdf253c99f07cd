import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Books } from '../../simulator/books/books';
import { QueryParameters } from '../../simulator/ec2/query-parameters';
import { drawsOf } from '../../simulator/ec2/request-buckets';
import { readOptions } from '../../simulator/options';
import { Throttle } from '../../simulator/services/throttle';

const folder = mkdtempSync(path.join(tmpdir(), 'throttle-'));
let books: Books;
let now = 0;
let throttle: Throttle;

beforeEach(async () => {
  rmSync(folder, { recursive: true });
  mkdirSync(folder);
  books = new Books(folder);
  await books.open((error) => {
    throw error;
  });
  now = 1000;
  throttle = new Throttle(books, () => now, true);
});
afterEach(() => books.close());
afterAll(() => rmSync(folder, { recursive: true }));

/** How many calls in a row are taken, up to 2,000. */
function burst(action: string, form = '', region = 'us-east-1'): number {
  const draws = drawsOf(action, QueryParameters.parse(form));
  for (let count = 0; count < 2000; count++) {
    if (!throttle.take(`ec2:${action}`, region, draws)) return count;
  }
  return 2000;
}

test.each([
  ['RunInstances', '', 5, 2],
  ['TerminateInstances', 'InstanceId.1=i-1', 100, 5],
  ['StopInstances', 'InstanceId.1=i-1', 50, 5],
  ['CreateTags', '', 100, 10],
  ['DescribeImages', '', 100, 20],
  ['DescribeInstances', '', 50, 10],
  ['DescribeInstances', 'MaxResults=5', 100, 20],
  ['DescribeInstances', 'Filter.1.Name=a', 100, 20],
  ['CancelSpotInstanceRequests', '', 50, 5],
])('%s %s takes a burst of %i, then %i a second', (action, form, capacity, refill) => {
  expect(burst(action, form)).toBe(capacity);
  now += 1;
  expect(burst(action, form)).toBe(refill);
  now += 3600;
  expect(burst(action, form)).toBe(capacity);
});

test('instances count beside calls', () => {
  // 19 a call: the 1,000 are used up before the 100 calls are.
  const ids = Array.from({ length: 19 }, (_, index) => `InstanceId.${index + 1}=i-${index}`).join('&');
  expect(burst('TerminateInstances', ids)).toBe(52);
  now += 1;
  expect(burst('TerminateInstances', ids)).toBe(1);
});

test('a refused call takes nothing', () => {
  const many = drawsOf('RunInstances', QueryParameters.parse('MaxCount=1001'));
  for (let call = 0; call < 20; call++) {
    expect(throttle.take('ec2:RunInstances', 'us-east-1', many)).toBe(false);
  }
  expect(burst('RunInstances')).toBe(5);
});

test('regions and actions have buckets of their own', () => {
  expect(burst('RunInstances')).toBe(5);
  expect(burst('RunInstances', '', 'us-west-2')).toBe(5);
  expect(burst('StartInstances')).toBe(5);
});

test('what is set for an action, or for all, holds instead, also for the next throttle', () => {
  throttle.set('request', '*', { capacity: 3, refill: 0 });
  throttle.set('request', 'ec2:RunInstances', { capacity: 1, refill: 0.5 });
  expect([burst('RunInstances'), burst('DescribeImages')]).toEqual([1, 3]);
  now += 2;
  expect(burst('RunInstances')).toBe(1);
  throttle.documented = false;
  throttle = new Throttle(books, () => now, true);
  expect([burst('RunInstances'), burst('DescribeImages')]).toEqual([1, 3]);
  throttle.clear();
  expect(burst('RunInstances')).toBe(2000);
});

test('the flag lets the documented sizes hold, which without it do not', () => {
  expect([readOptions(['--throttle']).throttle, readOptions([]).throttle]).toEqual([true, false]);
  throttle = new Throttle(books, () => now, false);
  expect(burst('RunInstances')).toBe(2000);
});
