/** The types of volumes and what each takes, as EC2 documents them. */
import type { VolumeKind } from '../books/entities';

interface VolumeType {
  /** GiB. */
  readonly sizes: readonly [min: number, max: number];
  /** What may be asked for; null where nothing may. */
  readonly iops: readonly [min: number, max: number] | null;
  readonly mustSayIops: boolean;
}

export const VOLUME_TYPES = ['standard', 'io1', 'io2', 'gp2', 'sc1', 'st1', 'gp3'] as const;
export type VolumeTypeName = (typeof VOLUME_TYPES)[number];

const TYPES: Readonly<Record<VolumeTypeName, VolumeType>> = {
  gp2: { sizes: [1, 16_384], iops: null, mustSayIops: false },
  gp3: { sizes: [1, 65_536], iops: [3_000, 80_000], mustSayIops: false },
  io1: { sizes: [4, 16_384], iops: [100, 64_000], mustSayIops: true },
  io2: { sizes: [4, 65_536], iops: [100, 256_000], mustSayIops: true },
  st1: { sizes: [125, 16_384], iops: null, mustSayIops: false },
  sc1: { sizes: [125, 16_384], iops: null, mustSayIops: false },
  standard: { sizes: [1, 1_024], iops: null, mustSayIops: false },
};
const THROUGHPUT = [125, 2_000] as const;

export interface KindWish {
  readonly sizeGib: number;
  readonly type: VolumeTypeName;
  readonly iops: number | null;
  readonly throughput: number | null;
  readonly encrypted: boolean;
}

/** A volume as it was wished for, with what its type gives by itself; or, as a sentence, why there can't be one. */
export function volumeKind(wish: KindWish): VolumeKind | string {
  const { sizeGib, type, iops, throughput } = wish;
  const { sizes, iops: allowed, mustSayIops } = TYPES[type];
  if (sizeGib < sizes[0])
    return `Volume of ${sizeGib}GiB is too small for volume type ${type}; minimum is ${sizes[0]}GiB.`;
  if (sizeGib > sizes[1])
    return `Volume of ${sizeGib}GiB is too large for volume type ${type}; maximum is ${sizes[1]}GiB.`;
  if (iops === null && mustSayIops) return `The parameter iops must be specified for ${type} volumes.`;
  if (iops !== null && allowed === null) return `The parameter iops is not supported for ${type} volumes.`;
  if (iops !== null && allowed !== null) {
    if (iops < allowed[0]) return `Volume iops of ${iops} is too low; minimum is ${allowed[0]}.`;
    if (iops > allowed[1]) return `Volume iops of ${iops} is too high; maximum is ${allowed[1]}.`;
  }
  if (throughput !== null && type !== 'gp3')
    return `The parameter throughput is not supported for ${type} volumes.`;
  if (throughput !== null && (throughput < THROUGHPUT[0] || throughput > THROUGHPUT[1]))
    return `Volume throughput of ${throughput}MiB/s is out of range; it takes ${THROUGHPUT[0]} to ${THROUGHPUT[1]}.`;
  return {
    ...wish,
    iops: iops ?? usualIops(type, sizeGib),
    throughput: type === 'gp3' ? (throughput ?? THROUGHPUT[0]) : null,
  };
}

function usualIops(type: VolumeTypeName, sizeGib: number): number | null {
  switch (type) {
    case 'gp3':
      return 3_000;
    case 'gp2':
      return Math.min(16_000, Math.max(100, 3 * sizeGib));
    case 'io1':
    case 'io2':
    case 'st1':
    case 'sc1':
    case 'standard':
      return null;
  }
}
