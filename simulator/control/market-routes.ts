/** The market and the clock. */
import { z } from 'zod';
import type { PoolRecord } from '../market/market';
import { ControlError } from './control-error';
import { check } from './route';
import type { ControlRequest, Route } from './route';
import { describeMarket, describeTime } from './views';

const poolsSchema = z.strictObject({
  zone: z.string().optional(),
  instance_type: z.string().optional(),
  option: z.enum(['spot', 'ondemand']).default('spot'),
});
const advanceSchema = z.strictObject({ seconds: z.number().min(0).max(10_000_000) });

export const MARKET_ROUTES: readonly Route[] = [
  { method: 'GET', path: /^\/market$/, run: ({ cloud }) => describeMarket(cloud) },
  { method: 'POST', path: /^\/pools\/take$/, run: (request) => holdPools(request, false) },
  { method: 'POST', path: /^\/pools\/give-back$/, run: (request) => holdPools(request, true) },
  { method: 'POST', path: /^\/pools\/release$/, run: (request) => holdPools(request, null) },
  { method: 'GET', path: /^\/clock$/, run: ({ cloud }) => describeTime(cloud) },
  {
    method: 'POST',
    path: /^\/clock\/advance$/,
    run: ({ cloud, body }) => {
      const { seconds } = check(advanceSchema, body);
      if (!cloud.clock.paused)
        throw new ControlError(409, 'The clock runs by itself; --paused-clock stops it.');
      cloud.advanceClock(seconds);
      return describeTime(cloud);
    },
  },
];

function holdPools({ cloud, body }: ControlRequest, available: boolean | null): unknown {
  const { zone, instance_type, option } = check(poolsSchema, body);
  const pools = cloud.market
    .pools()
    .filter((pool: PoolRecord) => zone === undefined || pool.zone === zone)
    .filter((pool) => instance_type === undefined || pool.instanceType === instance_type);
  if (pools.length === 0) {
    throw new ControlError(
      404,
      `The market has no pool of ${instance_type ?? 'any type'} in ${zone ?? 'any zone'}.`,
    );
  }
  cloud.holdPools(pools, option, available);
  return { option, pools: pools.map((pool) => ({ zone: pool.zone, instance_type: pool.instanceType })) };
}
