/**
 * What instance types have: computed from their names for the families that EC2 names by rule, told for those that have
 * accelerators. Good to tell the types of a market apart, not a copy of EC2's catalogue.
 */
export interface InstanceTypeFacts {
  readonly instanceType: string;
  readonly vcpus: number;
  readonly memoryMib: number;
  readonly gpu: Gpu | null;
  /** GPUs, FPGAs, Inferentia, Trainium and their kin. */
  readonly accelerated: boolean;
  readonly hibernation: boolean;
  readonly architecture: 'x86_64' | 'arm64';
  readonly currentGeneration: boolean;
  /** Disks of the host, in GB; 0 for none. */
  readonly hostDiskGb: number;
  readonly hypervisor: 'nitro' | 'xen';
}

export interface Gpu {
  readonly name: string;
  readonly manufacturer: string;
  readonly count: number;
  /** Of each. */
  readonly memoryMib: number;
}

interface Accelerated {
  readonly gpu: readonly [name: string, manufacturer: string, memoryMib: number] | null;
  readonly memoryGibPerVcpu: number;
  /** By size; what isn't here has one. */
  readonly counts: Readonly<Record<string, number>>;
  readonly xen?: true;
}

const ACCELERATED: Readonly<Record<string, Accelerated>> = {
  p2: {
    gpu: ['K80', 'NVIDIA', 12_288],
    memoryGibPerVcpu: 15.25,
    counts: { '8xlarge': 8, '16xlarge': 16 },
    xen: true,
  },
  p3: {
    gpu: ['V100', 'NVIDIA', 16_384],
    memoryGibPerVcpu: 7.625,
    counts: { '8xlarge': 4, '16xlarge': 8 },
    xen: true,
  },
  p4d: { gpu: ['A100', 'NVIDIA', 40_960], memoryGibPerVcpu: 12, counts: { '24xlarge': 8 } },
  p5: { gpu: ['H100', 'NVIDIA', 81_920], memoryGibPerVcpu: 10.666, counts: { '48xlarge': 8 } },
  g3: {
    gpu: ['M60', 'NVIDIA', 8_192],
    memoryGibPerVcpu: 7.625,
    counts: { '8xlarge': 2, '16xlarge': 4 },
    xen: true,
  },
  g4dn: { gpu: ['T4', 'NVIDIA', 16_384], memoryGibPerVcpu: 4, counts: { '12xlarge': 4, metal: 8 } },
  g5: {
    gpu: ['A10G', 'NVIDIA', 24_576],
    memoryGibPerVcpu: 4,
    counts: { '12xlarge': 4, '24xlarge': 4, '48xlarge': 8 },
  },
  g6: {
    gpu: ['L4', 'NVIDIA', 22_888],
    memoryGibPerVcpu: 4,
    counts: { '12xlarge': 4, '24xlarge': 4, '48xlarge': 8 },
  },
  inf1: { gpu: null, memoryGibPerVcpu: 2, counts: {} },
  inf2: { gpu: null, memoryGibPerVcpu: 4, counts: {} },
  trn1: { gpu: null, memoryGibPerVcpu: 4, counts: {} },
  f1: { gpu: null, memoryGibPerVcpu: 15.25, counts: {}, xen: true },
};
/** Of families without accelerators, by their first letter. */
const MEMORY_GIB_PER_VCPU: Readonly<Record<string, number>> = { c: 2, m: 4, t: 4, r: 8, i: 8, d: 8, x: 16 };
const SMALL: Readonly<Record<string, readonly [vcpus: number, memoryGib: number]>> = {
  nano: [2, 0.5],
  micro: [2, 1],
  small: [2, 2],
  medium: [2, 4],
};
const MOST_HIBERNATED_GIB = 150;

const known = new Map<string, InstanceTypeFacts>();

export function instanceTypeFacts(instanceType: string): InstanceTypeFacts {
  let facts = known.get(instanceType);
  if (!facts) {
    facts = computeFacts(instanceType);
    known.set(instanceType, facts);
  }
  return facts;
}

function computeFacts(instanceType: string): InstanceTypeFacts {
  const [family = '', size = ''] = instanceType.split('.');
  const special = ACCELERATED[family];
  const accelerated = special !== undefined || /^(p|g|inf|trn|dl|vt|f)\d/.test(family);
  const [vcpus, memoryGib] = dimensions(family, size, special?.memoryGibPerVcpu);
  const arm = /^[a-z]+\d+[a-z]*g/.test(family) && !family.startsWith('g');
  const generation = Number(/\d+/.exec(family)?.[0] ?? 0);
  const [name, manufacturer, memoryMib] = special?.gpu ?? [];
  const metal = size.startsWith('metal');
  return {
    instanceType,
    vcpus,
    memoryMib: Math.round(memoryGib * 1024),
    gpu:
      name === undefined || manufacturer === undefined || memoryMib === undefined
        ? null
        : { name, manufacturer, memoryMib, count: special?.counts[size] ?? 1 },
    accelerated,
    hibernation: !accelerated && !metal && /^[cmrti]\d/.test(family) && memoryGib <= MOST_HIBERNATED_GIB,
    architecture: arm ? 'arm64' : 'x86_64',
    currentGeneration: special ? family !== 'p2' && family !== 'g3' : generation >= 4 || family === 't3',
    hostDiskGb: /^[a-z]+\d+[a-z]*d|^g5$|^g6$|^i\d/.test(family) ? vcpus * 31 : 0,
    hypervisor: special?.xen || (!special && generation < 5 && !/^t[34]/.test(family)) ? 'xen' : 'nitro',
  };
}

export function vcpusOf(instanceType: string): number {
  return instanceTypeFacts(instanceType).vcpus;
}

function dimensions(family: string, size: string, gibPerVcpu?: number): readonly [number, number] {
  const small = SMALL[size];
  const perVcpu = gibPerVcpu ?? MEMORY_GIB_PER_VCPU[family.charAt(0)] ?? 4;
  if (small && family.startsWith('t')) return small;
  const vcpus = sizeVcpus(size);
  return [vcpus, vcpus * perVcpu];
}

/** `xlarge` has 4, and so many times as many as its number says. */
function sizeVcpus(size: string): number {
  const many = /^(\d+)xlarge$/.exec(size);
  if (many) return 4 * Number(many[1]);
  if (size.startsWith('metal')) return 96;
  if (size === 'xlarge') return 4;
  return size === 'large' ? 2 : 1;
}
