/** The simulated price list through the real SDK: one right answer among many that cost nothing or something else. */
import {
  DescribeServicesCommand,
  GetProductsCommand,
  paginateGetAttributeValues,
  paginateGetProducts,
  PricingClient,
} from '@aws-sdk/client-pricing';
import type { Filter, FilterType } from '@aws-sdk/client-pricing';
import { type Simulator, startSimulator } from '../harness/simulator';
import { control } from './simulator-control';
import { refusal } from './simulator-requests';

interface PriceListItem {
  product: { productFamily: string; sku: string; attributes: Record<string, string> };
  serviceCode: string;
  terms: {
    OnDemand: Record<
      string,
      {
        sku: string;
        offerTermCode: string;
        priceDimensions: Record<string, { unit: string; rateCode: string; pricePerUnit: { USD: string } }>;
      }
    >;
  };
}

let simulator: Simulator;
let pricing: PricingClient;

beforeAll(async () => {
  simulator = await startSimulator(...['--boot', 'none', '--paused-clock', '--synthetic', '3']);
  // The price list's own endpoints are in other regions than the market: any will do.
  pricing = new PricingClient({
    region: 'ap-south-1',
    endpoint: simulator.ready.cloudUrl,
    credentials: { accessKeyId: 'AKIDTEST', secretAccessKey: 'secret' },
    maxAttempts: 1,
  });
});
afterAll(async () => {
  pricing?.destroy();
  await simulator?.stop();
});

const filtersOf = (values: Record<string, string>, Type: FilterType = 'TERM_MATCH'): Filter[] =>
  Object.entries(values).map(([Field, Value]) => ({ Type, Field, Value }));
async function find(Filters: Filter[]): Promise<PriceListItem[]> {
  const found: PriceListItem[] = [];
  const pages = paginateGetProducts({ client: pricing }, { ServiceCode: 'AmazonEC2', Filters });
  for await (const { PriceList = [], FormatVersion } of pages) {
    expect(FormatVersion).toBe('aws_v1');
    for (const item of PriceList) found.push(JSON.parse(String(item)) as PriceListItem);
  }
  return found;
}
function priceOf(item: PriceListItem): string | undefined {
  const [term] = Object.values(item.terms.OnDemand);
  return Object.values(term?.priceDimensions ?? {})[0]?.pricePerUnit.USD;
}

const ONE = {
  instanceType: 'g5.xlarge',
  regionCode: 'us-west-2',
  operatingSystem: 'Linux',
  tenancy: 'Shared',
  preInstalledSw: 'NA',
  capacitystatus: 'Used',
  licenseModel: 'No License required',
  marketoption: 'OnDemand',
};

test('the full question has one answer: the market’s on-demand price, as AWS writes it', async () => {
  const { pools } = await control<{
    pools: { region: string; instance_type: string; ondemand_price_usd_per_hour: number }[];
  }>(simulator, '/market');
  const pool = pools.find(
    ({ region, instance_type }) => region === 'us-west-2' && instance_type === 'g5.xlarge',
  );
  const items = await find(filtersOf(ONE));
  expect(items).toHaveLength(1);
  const [item] = items as [PriceListItem];
  const { sku } = item.product;
  expect(sku).toMatch(/^[A-Z0-9]{16}$/);
  expect(item).toMatchObject({
    serviceCode: 'AmazonEC2',
    product: {
      productFamily: 'Compute Instance',
      attributes: {
        servicecode: 'AmazonEC2',
        location: 'US West (Oregon)',
        usagetype: 'USW2-BoxUsage:g5.xlarge',
        operation: 'RunInstances',
      },
    },
  });
  const [[term, offer] = [], ...others] = Object.entries(item.terms.OnDemand);
  expect(others).toEqual([]);
  expect(term).toBe(`${sku}.${offer?.offerTermCode}`);
  const [[rate, dimension] = []] = Object.entries(offer?.priceDimensions ?? {});
  expect(rate).toBe(dimension?.rateCode);
  expect(dimension).toMatchObject({
    unit: 'Hrs',
    pricePerUnit: { USD: expect.stringMatching(/^\d+\.\d{10}$/) },
  });
  expect(Number(priceOf(item))).toBe(pool?.ondemand_price_usd_per_hour);
});

test('who asks less finds prices of nothing and of others', async () => {
  const without = (field: string) => filtersOf(ONE).filter(({ Field }) => Field !== field);
  const prices = (await find(without('capacitystatus'))).map(priceOf);
  expect(prices).toHaveLength(3);
  expect(prices).toContain('0.0000000000');
  expect((await find(without('tenancy'))).map(priceOf)).toContain('0.0000000000');
  const all = await find(filtersOf({ instanceType: 'g5.xlarge', regionCode: 'us-west-2' }));
  expect(all.length).toBeGreaterThan(50);
  expect(new Set(all.map((item) => item.product.sku)).size).toBe(all.length);
  expect(await find(filtersOf({ ...ONE, regionCode: 'eu-north-1' }))).toEqual([]);
  expect(await find(filtersOf({ ...ONE, noSuchField: 'x' }))).toEqual([]);
});

test('filters are of five types', async () => {
  const count = async (...filters: Filter[]) => (await find([...filtersOf(ONE).slice(1), ...filters])).length;
  const filter = (Type: FilterType, Value: string): Filter => ({ Type, Field: 'instanceType', Value });
  const types = simulator.ready.instanceTypes;
  expect(types).toEqual(expect.arrayContaining(['g5.xlarge', 'p3.2xlarge']));
  expect(await count()).toBe(types.length);
  expect(await count(filter('EQUALS', 'g5.xlarge'))).toBe(1);
  expect(await count(filter('CONTAINS', '.xlarge'))).toBe(
    types.filter((type) => type.includes('.xlarge')).length,
  );
  expect(await count(filter('ANY_OF', 'g5.xlarge, p3.2xlarge, m9.huge'))).toBe(2);
  expect(await count(filter('NONE_OF', 'g5.xlarge,m9.huge'))).toBe(types.length - 1);
  expect(await count(filter('TERM_MATCH', 'g5'))).toBe(0);
});

test('pages hold at most what is asked for, each item once', async () => {
  const filters = filtersOf({ instanceType: 'g5.xlarge', regionCode: 'us-west-2' });
  const whole = await find(filters);
  const skus: string[] = [];
  const input = { ServiceCode: 'AmazonEC2', Filters: filters };
  for await (const { PriceList = [] } of paginateGetProducts({ client: pricing, pageSize: 7 }, input)) {
    expect(PriceList.length).toBeLessThanOrEqual(7);
    skus.push(...PriceList.map((item: unknown) => (JSON.parse(String(item)) as PriceListItem).product.sku));
  }
  expect(skus).toEqual(whole.map((item) => item.product.sku));
});

test('attributes and their values are told', async () => {
  const { Services } = await pricing.send(new DescribeServicesCommand({ ServiceCode: 'AmazonEC2' }));
  expect(Services?.[0]?.AttributeNames).toEqual(expect.arrayContaining(Object.keys(ONE)));
  const values: unknown[] = [];
  const ask = { ServiceCode: 'AmazonEC2', AttributeName: 'capacitystatus' };
  for await (const { AttributeValues = [] } of paginateGetAttributeValues(
    { client: pricing, pageSize: 2 },
    ask,
  )) {
    values.push(...AttributeValues.map(({ Value }) => Value));
  }
  expect(values).toEqual(['AllocatedCapacityReservation', 'UnusedCapacityReservation', 'Used']);
});

test.each([
  [{ ServiceCode: 'AmazonTea' }, 'InvalidParameterException'],
  [{ ServiceCode: undefined as never }, 'InvalidParameterException'],
  [{ FormatVersion: 'aws_v2' }, 'InvalidParameterException'],
  [{ MaxResults: 101 }, 'InvalidParameterException'],
  [{ MaxResults: 0 }, 'InvalidParameterException'],
  [{ MaxResults: 'many' as never }, 'SerializationException'],
  [{ Filters: 'all' as never }, 'SerializationException'],
  [{ Filters: [{ Type: 'LIKE' as never, Field: 'a', Value: 'b' }] }, 'InvalidParameterException'],
  [{ NextToken: 'nonsense' }, 'InvalidNextTokenException'],
])('%j is refused with %s', async (changes, name) => {
  const asked = pricing.send(new GetProductsCommand({ ServiceCode: 'AmazonEC2', ...changes }));
  expect(await refusal(asked)).toMatchObject({ name, status: 400 });
});

test('a page’s token is for its own question', async () => {
  const { NextToken } = await pricing.send(
    new GetProductsCommand({ ServiceCode: 'AmazonEC2', MaxResults: 1 }),
  );
  const other = new GetProductsCommand({ ServiceCode: 'AmazonEC2', Filters: filtersOf(ONE), NextToken });
  expect((await refusal(pricing.send(other))).name).toBe('InvalidNextTokenException');
});
