/**
 * The price list's products: for each instance type of a region not one but dozens, which differ in operating system,
 * licence, software, tenancy and what becomes of the capacity. One of them is what an on-demand Linux instance costs;
 * those on a dedicated host and those in a capacity reservation cost nothing, as at AWS.
 */
import { createHash } from 'node:crypto';
import type { Market, PoolRecord } from '../market/market';
import { regionName, usagePrefix } from './region-names';

export interface Product {
  readonly attributes: Readonly<Record<string, string>>;
  readonly document: PriceDocument;
}

/** An item of PriceList, before it becomes text. */
interface PriceDocument {
  readonly product: {
    readonly productFamily: string;
    readonly attributes: Readonly<Record<string, string>>;
    readonly sku: string;
  };
  readonly serviceCode: string;
  readonly terms: object;
  readonly version: string;
  readonly publicationDate: string;
}

interface Platform {
  readonly operatingSystem: string;
  readonly licenseModel: string;
  readonly preInstalledSw: string;
  readonly operation: string;
  /** Billed above Linux, in US dollars an hour. */
  readonly surcharge: number;
}

const NO_LICENSE = 'No License required';
const PLATFORMS: readonly Platform[] = [
  platform('Linux', 'NA', 'RunInstances', 0),
  platform('Linux', 'SQL Web', 'RunInstances:0200', 0.068),
  platform('Linux', 'SQL Std', 'RunInstances:0004', 0.48),
  platform('Linux', 'SQL Ent', 'RunInstances:0100', 1.5),
  platform('RHEL', 'NA', 'RunInstances:0010', 0.0576),
  platform('SUSE', 'NA', 'RunInstances:000g', 0.1),
  platform('Windows', 'NA', 'RunInstances:0002', 0.184),
  platform('Windows', 'SQL Std', 'RunInstances:0006', 0.664),
  { ...platform('Windows', 'NA', 'RunInstances:0800', 0), licenseModel: 'Bring your own license' },
];

interface Capacity {
  readonly tenancy: 'Shared' | 'Dedicated' | 'Host';
  readonly capacitystatus: 'Used' | 'UnusedCapacityReservation' | 'AllocatedCapacityReservation';
  readonly usage: string;
  /** Of the price; 0 for what is paid for elsewhere. */
  readonly share: number;
}

const CAPACITIES: readonly Capacity[] = [
  { tenancy: 'Shared', capacitystatus: 'Used', usage: 'BoxUsage', share: 1 },
  { tenancy: 'Shared', capacitystatus: 'UnusedCapacityReservation', usage: 'UnusedBox', share: 1 },
  { tenancy: 'Shared', capacitystatus: 'AllocatedCapacityReservation', usage: 'Reservation', share: 0 },
  { tenancy: 'Dedicated', capacitystatus: 'Used', usage: 'DedicatedUsage', share: 1.1 },
  { tenancy: 'Dedicated', capacitystatus: 'UnusedCapacityReservation', usage: 'UnusedDed', share: 1.1 },
  { tenancy: 'Dedicated', capacitystatus: 'AllocatedCapacityReservation', usage: 'DedicatedRes', share: 0 },
  { tenancy: 'Host', capacitystatus: 'Used', usage: 'HostBoxUsage', share: 0 },
];

const OFFER_TERM = 'JRTCKXETXF';
const RATE = '6YS6EN2CT7';
const PUBLISHED = new Date('2025-06-30T19:28:36Z');
const EFFECTIVE = '2025-06-01T00:00:00Z';

/** All products of a market, in the order of their SKUs, which is none that helps. */
export function makeProducts(market: Market): Product[] {
  const types = market
    .regions()
    .flatMap((region) =>
      market
        .instanceTypes(region)
        .map((type) => market.pools(region).find(({ instanceType }) => instanceType === type) as PoolRecord),
    );
  return types
    .flatMap((pool) =>
      CAPACITIES.flatMap((capacity) => PLATFORMS.map((platform) => makeProduct(pool, capacity, platform))),
    )
    .sort((a, b) => (a.document.product.sku < b.document.product.sku ? -1 : 1));
}

function makeProduct(pool: PoolRecord, capacity: Capacity, platform: Platform): Product {
  const { region, instanceType } = pool;
  const { surcharge, ...software } = platform;
  const { tenancy, capacitystatus, usage, share } = capacity;
  const attributes = {
    servicecode: 'AmazonEC2',
    servicename: 'Amazon Elastic Compute Cloud',
    location: regionName(region),
    locationType: 'AWS Region',
    regionCode: region,
    instanceType,
    currentGeneration: 'Yes',
    tenancy,
    capacitystatus,
    ...software,
    usagetype: `${usagePrefix(region)}${usage}:${instanceType}`,
    marketoption: 'OnDemand',
    processorArchitecture: '64-bit',
    availabilityzone: 'NA',
    vpcnetworkingsupport: 'true',
    classicnetworkingsupport: 'false',
  };
  const sku = skuOf(`${region} ${instanceType} ${JSON.stringify([capacity, platform])}`);
  const price = (pool.onDemandPrice + surcharge) * share;
  return { attributes, document: priceDocument(sku, attributes, price) };
}

function priceDocument(
  sku: string,
  attributes: Readonly<Record<string, string>>,
  price: number,
): PriceDocument {
  const term = `${sku}.${OFFER_TERM}`;
  const rateCode = `${term}.${RATE}`;
  return {
    product: { productFamily: 'Compute Instance', attributes, sku },
    serviceCode: 'AmazonEC2',
    terms: {
      OnDemand: {
        [term]: {
          priceDimensions: {
            [rateCode]: {
              unit: 'Hrs',
              endRange: 'Inf',
              description: `$${Number(price.toFixed(10))} per ${attributes['tenancy']} ${attributes['operatingSystem']} ${attributes['instanceType']} Instance Hour`,
              appliesTo: [],
              rateCode,
              beginRange: '0',
              pricePerUnit: { USD: price.toFixed(10) },
            },
          },
          sku,
          effectiveDate: EFFECTIVE,
          offerTermCode: OFFER_TERM,
          termAttributes: {},
        },
      },
    },
    version: PUBLISHED.toISOString().replace(/[-T:]|\.\d+Z$/g, ''),
    publicationDate: PUBLISHED.toISOString().replace(/\.\d+/, ''),
  };
}

function skuOf(text: string): string {
  const alphabet = '23456789ABCDEFGHJKMNPQRSTUVWXYZ';
  const digest = createHash('sha256').update(text).digest();
  return Array.from(digest.subarray(0, 16), (byte) => alphabet[byte % alphabet.length]).join('');
}

function platform(
  operatingSystem: string,
  preInstalledSw: string,
  operation: string,
  surcharge: number,
): Platform {
  return { operatingSystem, licenseModel: NO_LICENSE, preInstalledSw, operation, surcharge };
}
