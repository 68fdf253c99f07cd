/** Limits: what a pool has room for, what the account may have, what addresses a subnet has. Null lifts one. */
import { z } from 'zod';
import { limitId } from '../instances/room';
import type { LimitKind } from '../instances/room';
import { poolName } from '../market/market';
import { ControlError } from './control-error';
import { check } from './route';
import type { ControlRequest, Route } from './route';

const most = z.number().int().min(0).max(10_000_000).nullable();
const option = z.enum(['spot', 'ondemand']).default('spot');
const roomSchema = z.strictObject({
  zone: z.string().optional(),
  instance_type: z.string().optional(),
  option,
  instances: most,
});
const quotaSchema = z
  .strictObject({
    region: z.string().optional(),
    option,
    vcpus: most.optional(),
    instances: most.optional(),
  })
  .refine(({ vcpus, instances }) => vcpus !== undefined || instances !== undefined, {
    message: 'give vcpus, instances or both',
  });
const addressesSchema = z.strictObject({ zone: z.string(), addresses: most });

export const LIMIT_ROUTES: readonly Route[] = [
  { method: 'POST', path: /^\/pools\/limit$/, run: limitPools },
  { method: 'POST', path: /^\/quotas$/, run: setQuotas },
  { method: 'POST', path: /^\/subnets\/limit$/, run: limitAddresses },
  { method: 'GET', path: /^\/limits$/, run: ({ cloud }) => Object.fromEntries(cloud.books.entries('limit')) },
];

function limitPools({ cloud, body }: ControlRequest): unknown {
  const asked = check(roomSchema, body);
  const ids = cloud.market
    .pools()
    .filter(({ zone }) => asked.zone === undefined || zone === asked.zone)
    .filter(({ instanceType }) => asked.instance_type === undefined || instanceType === asked.instance_type)
    .map(({ zone, instanceType }) => limitId('pool', asked.option, poolName(zone, instanceType)));
  if (ids.length === 0) throw new ControlError(404, 'The market has no such pool.');
  cloud.setLimits(ids, asked.instances);
  return { limited: ids };
}

function setQuotas({ cloud, body }: ControlRequest): unknown {
  const asked = check(quotaSchema, body);
  const regions = asked.region === undefined ? cloud.market.regions() : [asked.region];
  if (!regions.every((region) => cloud.market.regions().includes(region)))
    throw new ControlError(404, `The market has no region ${asked.region}.`);
  const idsOf = (kind: LimitKind) => regions.map((region) => limitId(kind, asked.option, region));
  if (asked.vcpus !== undefined) cloud.setLimits(idsOf('vcpus'), asked.vcpus);
  if (asked.instances !== undefined) cloud.setLimits(idsOf('instances'), asked.instances);
  return Object.fromEntries(cloud.books.entries('limit'));
}

function limitAddresses({ cloud, body }: ControlRequest): unknown {
  const { zone, addresses } = check(addressesSchema, body);
  if (!cloud.market.pools().some((pool) => pool.zone === zone))
    throw new ControlError(404, `The market has no zone ${zone}.`);
  cloud.setLimits([limitId('addresses', zone)], addresses);
  return { zone, addresses };
}
