import { choosePools, type PoolMarket, type PoolQuestion } from '../../policy/pool-choice';

const market: PoolMarket = {
  instanceType: 'p3.2xlarge',
  zones: ['us-east-1a', 'us-east-1b', 'us-east-1c', 'us-east-1d'],
  spotPrices: new Map([
    ['us-east-1a', '0.918'],
    ['us-east-1b', '1.1'],
    ['us-east-1c', '0.95'],
  ]),
};
const current = { instanceType: 'p3.2xlarge', zone: 'us-east-1a', option: 'spot' as const };
const question: PoolQuestion = { current, priority: 'manual', targetMode: null, targetPool: null };

const names = (over: Partial<PoolQuestion>) =>
  choosePools({ ...question, ...over }, market).map((pool) => `${pool.option} ${pool.zone.at(-1)}`);

it('goes from the cheapest spot pool up, leaves out the one it comes from, and ends on-demand', () => {
  expect(names({})).toEqual(['spot c', 'spot b', 'ondemand a', 'ondemand b', 'ondemand c', 'ondemand d']);
});

it('tries the zone that is being emptied last when it goes on-demand in an emergency', () => {
  expect(names({ priority: 'emergency' }).slice(2)).toEqual([
    'ondemand b',
    'ondemand c',
    'ondemand d',
    'ondemand a',
  ]);
});

it('takes a named mode at its word', () => {
  expect(names({ targetMode: 'spot' })).toEqual(['spot c', 'spot b']);
  expect(names({ targetMode: 'ondemand' }).every((name) => name.startsWith('ondemand'))).toBe(true);
});

it('takes a named pool at its word, even the one it comes from', () => {
  expect(choosePools({ ...question, targetPool: current }, market)).toEqual([current]);
});

it('may return from on-demand to spot in the same zone', () => {
  expect(names({ current: { ...current, option: 'ondemand' }, targetMode: 'spot' })).toContain('spot a');
});

it('offers no spot pool where the type has no spot market', () => {
  expect(names({})).not.toContain('spot d');
});
