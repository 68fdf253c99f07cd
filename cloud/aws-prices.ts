/**
 * On-demand prices from the AWS Price List Query API. GetProducts answers with products as JSON texts; of those that
 * match its filters some cost nothing (they stand for what a reservation has paid), and are no price.
 */
import { GetProductsCommand } from '@aws-sdk/client-pricing';
import { ask } from './aws-calls';
import type { AwsClients } from './aws-clients';
import { CloudError } from './cloud-error';
import { allPages } from './paging';

/** Linux, on shared hardware, nothing pre-installed, in use rather than reserved and idle. */
const PRODUCT = {
  operatingSystem: 'Linux',
  tenancy: 'Shared',
  preInstalledSw: 'NA',
  capacitystatus: 'Used',
  marketoption: 'OnDemand',
} as const;

/** The parts of a product's JSON that are read. */
interface Product {
  product?: { sku?: string; attributes?: Record<string, string> };
  terms?: { OnDemand?: Record<string, Offer> };
}

interface Offer {
  effectiveDate?: string;
  priceDimensions?: Record<string, { unit?: string; pricePerUnit?: Record<string, string> }>;
}

/** Decimal dollars an hour as Pricing wrote it; null when it lists none. */
export async function onDemandPrice(
  { pricing, region }: AwsClients,
  instanceType: string,
): Promise<string | null> {
  const filters = { ...PRODUCT, instanceType, regionCode: region };
  const call = {
    service: 'pricing',
    action: 'GetProducts',
    object: `of ${instanceType} in ${region}`,
  } as const;
  const texts = await allPages<string>(
    'GetProducts',
    (NextToken) =>
      ask(call, async () => {
        const command = new GetProductsCommand({
          ServiceCode: 'AmazonEC2',
          FormatVersion: 'aws_v1',
          Filters: Object.entries(filters).map(([Field, Value]) => ({ Type: 'TERM_MATCH', Field, Value })),
          NextToken,
        });
        const reply = await pricing.send(command);
        return {
          items: (reply.PriceList ?? []).map((text: unknown) => String(text)),
          nextToken: reply.NextToken,
        };
      }),
    (text) => text,
  );
  return onlyPrice(texts, filters);
}

/** @throws CloudError AmbiguousPrice when products that match everything differ in price. */
export function onlyPrice(texts: readonly string[], filters: Record<string, string>): string | null {
  const prices = new Set(texts.flatMap((text) => hourlyPrices(parse(text), filters)));
  if (prices.size <= 1) return [...prices][0] ?? null;
  const { instanceType, regionCode } = filters;
  throw new CloudError(
    { kind: 'never', code: 'AmbiguousPrice' },
    `AWS Pricing lists ${prices.size} on-demand prices of ${instanceType} in ${regionCode} (${[...prices].join(', ')}), so none is taken.`,
  );
}

function parse(text: string): Product {
  try {
    return JSON.parse(text) as Product;
  } catch (error) {
    throw new CloudError(
      { kind: 'retry', code: 'UnreadablePrice' },
      'AWS Pricing answered GetProducts with a product that is not JSON. The same is asked again.',
      { cause: error },
    );
  }
}

/** The prices in force of one product: those of its newest offer. Attributes are compared once more here. */
function hourlyPrices({ product, terms }: Product, filters: Record<string, string>): string[] {
  const attributes = product?.attributes ?? {};
  const differs = Object.entries(filters).some(
    ([name, value]) => attributes[name] !== undefined && attributes[name] !== value,
  );
  if (differs) return [];
  const offers = Object.values(terms?.OnDemand ?? {}).sort((one, other) =>
    (other.effectiveDate ?? '').localeCompare(one.effectiveDate ?? ''),
  );
  return Object.values(offers[0]?.priceDimensions ?? {}).flatMap(({ unit, pricePerUnit }) => {
    const price = pricePerUnit?.['USD'];
    return unit === 'Hrs' && price !== undefined && Number(price) > 0 ? [price] : [];
  });
}
