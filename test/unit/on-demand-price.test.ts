import { onlyPrice } from '../../cloud/aws-prices';

const filters = {
  operatingSystem: 'Linux',
  tenancy: 'Shared',
  preInstalledSw: 'NA',
  capacitystatus: 'Used',
  marketoption: 'OnDemand',
  instanceType: 'p3.2xlarge',
  regionCode: 'us-east-1',
};

/** As Pricing writes a product: a JSON text. */
function product(
  usd: string,
  attributes: Record<string, string> = {},
  effectiveDate = '2026-01-01T00:00:00Z',
) {
  const priceDimensions = { d: { unit: 'Hrs', pricePerUnit: { USD: usd } } };
  const sku = `S${usd}${effectiveDate}`;
  return JSON.stringify({
    product: { sku, attributes: { ...filters, ...attributes } },
    terms: { OnDemand: { [sku]: { effectiveDate, priceDimensions } } },
  });
}

it('keeps the decimal text, and leaves out what costs nothing', () => {
  expect(onlyPrice([product('0.0000000000'), product('3.0600000000')], filters)).toBe('3.0600000000');
  expect(onlyPrice([product('0.0000000000')], filters)).toBeNull();
  expect(onlyPrice([], filters)).toBeNull();
});

it('leaves out other products, though they came', () => {
  const others = [
    product('9.1', { operatingSystem: 'Windows' }),
    product('9.2', { tenancy: 'Dedicated' }),
    product('9.3', { preInstalledSw: 'SQL Std' }),
    product('9.4', { capacitystatus: 'UnusedCapacityReservation' }),
    product('9.5', { marketoption: 'CapacityBlock' }),
  ];
  expect(onlyPrice([...others, product('3.06')], filters)).toBe('3.06');
});

it('takes a product that says nothing of one attribute, and products that agree', () => {
  const { marketoption, ...older } = filters;
  expect(marketoption).toBe('OnDemand');
  const text = JSON.stringify({
    product: { attributes: older },
    terms: { OnDemand: { a: { priceDimensions: { d: { unit: 'Hrs', pricePerUnit: { USD: '3.06' } } } } } },
  });
  expect(onlyPrice([text, product('3.06')], filters)).toBe('3.06');
});

it('takes the offer in force, the newest', () => {
  const dimension = (usd: string) => ({ d: { unit: 'Hrs', pricePerUnit: { USD: usd } } });
  const text = JSON.stringify({
    product: { attributes: filters },
    terms: {
      OnDemand: {
        old: { effectiveDate: '2020-01-01T00:00:00Z', priceDimensions: dimension('4.00') },
        now: { effectiveDate: '2026-01-01T00:00:00Z', priceDimensions: dimension('3.06') },
      },
    },
  });
  expect(onlyPrice([text], filters)).toBe('3.06');
});

it('takes none of several that differ, and says which', () => {
  expect(() => onlyPrice([product('3.06'), product('3.07')], filters)).toThrow(/3\.06, 3\.07/);
});

it('ignores prices in other money or units, and says when it gets no JSON', () => {
  const text = JSON.stringify({
    product: { attributes: filters },
    terms: {
      OnDemand: {
        a: {
          priceDimensions: {
            cny: { unit: 'Hrs', pricePerUnit: { CNY: '20' } },
            quantity: { unit: 'Quantity', pricePerUnit: { USD: '7' } },
          },
        },
      },
    },
  });
  expect(onlyPrice([text], filters)).toBeNull();
  expect(() => onlyPrice(['<html>'], filters)).toThrow(/not JSON/);
});
