/** Random numbers: from 0 (inclusive) to 1 (exclusive). Passed in wherever chance plays, so that a seed repeats it. */
export type Random = () => number;

/** The same sequence for the same seed (mulberry32: 32 bits of state, good enough for markets). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export function between(random: Random, min: number, max: number): number {
  return min + (max - min) * random();
}
