/**
 * The synthetic market: a made one with the habits of recorded ones.
 *
 * Half or more of all spot lives last 20–80 minutes, 20–40 % end within 15. When a zone loses an instance type, its
 * siblings in the region are there little more than half of the time a few minutes later; other regions don't care, and
 * are there nine times in ten. A few lives are long, and no sibling's fall touches them. Prices move slowly. Every pool is
 * there when the market opens. The same seed makes the same market.
 */
import { Market } from './market';
import type { PoolRecord } from './market';
import { between, seededRandom } from './random';
import type { Random } from './random';
import { RunLengths } from './run-lengths';

const GAP_SECONDS = 60;
const TICKS = 30 * 24 * 60;
/** How likely a sibling zone falls with the first, and within how many ticks. */
const FALL_TOGETHER = 0.75;
const FALL_WITHIN_TICKS = 3;
/** A life that is longer, in ticks, falls with no other. */
const STEADY_TICKS = 90;

const REGIONS: readonly (readonly [string, string])[] = [
  ['us-east-1', 'abc'],
  ['us-west-2', 'abc'],
];
/** Instance types with their on-demand price in US dollars an hour. */
type Offer = readonly [instanceType: string, onDemandPrice: number];
const ACCELERATED: readonly Offer[] = [
  ['g4dn.xlarge', 0.526],
  ['g5.xlarge', 1.006],
  ['p3.2xlarge', 3.06],
];
/** Made after the others, so that a seed's accelerated pools don't depend on these. */
const GENERAL: readonly Offer[] = [['m5.large', 0.096]];

export function makeSyntheticMarket(seed: number, startTick = 0): Market {
  const random = seededRandom(seed);
  const pools: PoolRecord[] = [];
  const offers = [ACCELERATED, GENERAL].flatMap((types) =>
    REGIONS.map(([region, letters]) => ({ region, letters, types })),
  );
  for (const { region, letters, types } of offers) {
    for (const [instanceType, onDemandPrice] of types) {
      const zones = [...letters].map((letter) => `${region}${letter}`);
      const availability = makeAvailability(zones.length, random);
      for (const [index, zone] of zones.entries()) {
        pools.push({
          region,
          zone,
          instanceType,
          gapSeconds: GAP_SECONDS,
          onDemandPrice,
          available: new RunLengths(availability[index] as [boolean, number][]),
          spotPrice: new RunLengths(makePrices(onDemandPrice, random)),
        });
      }
    }
  }
  return new Market(`the synthetic market of seed ${seed} from tick ${startTick}`, pools, startTick);
}

/** Run lengths of each zone of one region, for one instance type. */
function makeAvailability(zones: number, random: Random): [boolean, number][][] {
  const runs = Array.from({ length: zones }, (): [boolean, number][] => []);
  const up = runs.map(() => true);
  const since = runs.map(() => 0);
  const until = runs.map(() => drawLife(random));
  for (let tick = 0; tick < TICKS; tick++) {
    for (let zone = 0; zone < zones; zone++) {
      if (tick < (until[zone] as number)) continue;
      runs[zone]?.push([up[zone] as boolean, tick - (since[zone] as number)]);
      since[zone] = tick;
      up[zone] = !up[zone];
      until[zone] = tick + (up[zone] ? drawLife(random) : drawOutage(random));
      if (up[zone]) continue;
      for (let sibling = 0; sibling < zones; sibling++) {
        const steady = (until[sibling] as number) - (since[sibling] as number) > STEADY_TICKS;
        if (!up[sibling] || steady || random() >= FALL_TOGETHER) continue;
        const fall = tick + 1 + Math.floor(random() * FALL_WITHIN_TICKS);
        until[sibling] = Math.min(until[sibling] as number, fall);
      }
    }
  }
  for (const [zone, zoneRuns] of runs.entries()) {
    zoneRuns.push([up[zone] as boolean, TICKS - (since[zone] as number)]);
  }
  return runs;
}

/** Ticks for which a pool stays. */
function drawLife(random: Random): number {
  const kind = random();
  if (kind < 0.2) return Math.round(between(random, 3, 15));
  if (kind < 0.96) return Math.round(between(random, 22, STEADY_TICKS));
  return Math.round(between(random, STEADY_TICKS, 900));
}

/** Ticks for which a pool is gone: mostly minutes, sometimes the better part of an hour. */
function drawOutage(random: Random): number {
  return random() < 0.95 ? Math.round(between(random, 3, 6)) : Math.round(between(random, 8, 40));
}

function makePrices(onDemandPrice: number, random: Random): [number, number][] {
  const runs: [number, number][] = [];
  let share = between(random, 0.3, 0.5);
  for (let tick = 0; tick < TICKS;) {
    const ticks = Math.min(TICKS - tick, Math.round(between(random, 60, 480)));
    runs.push([Number((onDemandPrice * share).toFixed(4)), ticks]);
    share = Math.min(0.8, Math.max(0.25, share * between(random, 0.97, 1.03)));
    tick += ticks;
  }
  return runs;
}
