/**
 * How many instances there is room for: what the pool has, what the account may have, and what addresses the zone's subnet
 * has. Limits are the control API's; without one there is no end.
 */
import type { Books } from '../books/books';
import type { Instance, PurchaseOption } from '../books/entities';
import { vcpusOf } from '../market/instance-types';
import { poolName } from '../market/market';
import type { PoolRecord } from '../market/market';
import { isActive } from './lifecycle';

export type LimitKind = 'vcpus' | 'instances' | 'pool' | 'addresses';
export type Shortage =
  | { readonly kind: 'capacity' }
  /** Of the spot price, in US dollars an hour. */
  | { readonly kind: 'price'; readonly price: number }
  | { readonly kind: Exclude<LimitKind, 'pool'>; readonly most: number };

export interface Ask {
  readonly pool: PoolRecord;
  readonly option: PurchaseOption;
  readonly maxPrice: string | null;
  /** What there must be room for at least, and what it is good for at most. */
  readonly min: number;
  readonly max: number;
  /** Whether they have an address there already, as a stopped one does. */
  readonly hasAddress?: boolean;
  /** Of the same call, taken already though not booked yet. */
  readonly taken?: readonly Instance[];
}

interface Market {
  isAvailable(pool: PoolRecord, option: PurchaseOption): boolean;
  spotPrice(pool: PoolRecord): number;
}

/** The name of a limit on the books' shelf. */
export function limitId(kind: LimitKind, ...of: readonly string[]): string {
  return [kind, ...of].join('/');
}

/** How many of what is asked for there is room for, or what there is too little of. */
export function findRoom(books: Books, market: Market, ask: Ask): number | Shortage {
  const { pool, option, maxPrice, min, max } = ask;
  if (!market.isAvailable(pool, option)) return { kind: 'capacity' };
  const price = market.spotPrice(pool);
  if (option === 'spot' && maxPrice !== null && Number(maxPrice) < price) return { kind: 'price', price };
  let room = max;
  for (const { kind, id, each, counts } of limitsOn(ask)) {
    const limit = books.get('limit', id);
    if (!limit) continue;
    const used = [...books.all('instance'), ...(ask.taken ?? [])]
      .filter(counts)
      .reduce((sum, { instanceType }) => sum + each(instanceType), 0);
    room = Math.min(room, Math.floor((limit.most - used) / each(pool.instanceType)));
    if (room < min) return kind === 'pool' ? { kind: 'capacity' } : { kind, most: limit.most };
  }
  return room;
}

interface LimitOnAsk {
  readonly kind: LimitKind;
  readonly id: string;
  readonly each: (instanceType: string) => number;
  readonly counts: (instance: Instance) => boolean;
}

function limitsOn({ pool, option, hasAddress = false }: Ask): LimitOnAsk[] {
  const { region, zone, instanceType } = pool;
  const one = () => 1;
  const bought = (instance: Instance) =>
    isActive(instance) && instance.option === option && instance.region === region;
  const limits: LimitOnAsk[] = [
    {
      kind: 'pool',
      id: limitId('pool', option, poolName(zone, instanceType)),
      each: one,
      counts: (instance) =>
        bought(instance) && instance.zone === zone && instance.instanceType === instanceType,
    },
    { kind: 'instances', id: limitId('instances', option, region), each: one, counts: bought },
    { kind: 'vcpus', id: limitId('vcpus', option, region), each: vcpusOf, counts: bought },
  ];
  if (hasAddress) return limits;
  // A stopped instance keeps its private address.
  const addressed = ({ zone: its, state }: Instance) => its === zone && state !== 'terminated';
  return [...limits, { kind: 'addresses', id: limitId('addresses', zone), each: one, counts: addressed }];
}
