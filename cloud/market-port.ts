/** What can be had, where, and for how much. */
import type { Described } from './cloud-port';

export interface InstanceTypeDescription {
  instanceType: string;
  vcpus: number;
  memoryMib: number;
  gpus: number;
  /** GPUs, inference chips, FPGAs and media cards: no accelerated type can hibernate. */
  accelerated: boolean;
  hibernationSupported: boolean;
  spotSupported: boolean;
  architectures: string[];
}

export interface ZonePrice {
  zone: string;
  instanceType: string;
  /** Decimal dollars an hour, as EC2 wrote it. */
  priceUsdPerHour: string;
}

export interface SpotPricePoint extends ZonePrice {
  /** ISO 8601: from then on. */
  at: string;
}

export interface MarketPort {
  /** Names of the availability zones that are open to the account, sorted. */
  zones(): Promise<string[]>;
  /** DescribeInstanceTypes. */
  instanceTypes(names: readonly string[]): Promise<Described<InstanceTypeDescription>>;
  /** The spot price of Linux in force now, in each zone that offers a type. */
  spotPrices(instanceTypes: readonly string[]): Promise<ZonePrice[]>;
  /**
   * Every change of a type's spot price between two moments, and the price in force at the first; oldest first. EC2
   * keeps 90 days.
   */
  spotPriceHistory(request: {
    instanceType: string;
    zone?: string;
    from: Date;
    to: Date;
  }): Promise<SpotPricePoint[]>;
  /**
   * The on-demand price of Linux in this region, shared tenancy, nothing pre-installed: decimal dollars an hour as
   * Pricing wrote it, null when it lists none. Source: AWS Price List Query API, GetProducts.
   * @throws CloudError `never` with code AmbiguousPrice when Pricing lists several that differ.
   */
  onDemandPrice(instanceType: string): Promise<string | null>;
}
