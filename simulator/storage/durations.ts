/** How long work on disks takes, in cloud seconds. AWS promises nothing; the defaults (options.ts) are what users see. */
import { between } from '../market/random';
import type { Random } from '../market/random';

/** Evenly from `min` to `max`, and `perGib` for each GiB that is copied. */
export interface SizedRange {
  readonly min: number;
  readonly max: number;
  readonly perGib: number;
}

export interface StorageDurations {
  /** From CreateImage to `available`; its snapshots are complete by then. */
  readonly image: SizedRange;
  readonly snapshot: SizedRange;
  /** A volume's creation, attachment, detachment and deletion, each. */
  readonly volume: SizedRange;
}

/** A snapshot holds what changed since the volume's last one; that is reckoned as this share of the volume. */
const CHANGED_SHARE = 0.1;

export function drawSeconds({ min, max, perGib }: SizedRange, gib: number, random: Random): number {
  return between(random, min, max) + perGib * gib;
}

/** How much of a volume its next snapshot copies. */
export function copiedGib(sizeGib: number, hasEarlierSnapshot: boolean): number {
  return hasEarlierSnapshot ? sizeGib * CHANGED_SHARE : sizeGib;
}
