/** GetProducts, DescribeServices and GetAttributeValues over the products of one service: AmazonEC2. */
import { createHash } from 'node:crypto';
import { PricingError } from './errors';
import { integer, invalid, objects, requiredText, text } from './json-input';
import type { JsonInput } from './json-input';
import type { Product } from './products';

const SERVICE_CODE = 'AmazonEC2';
const FORMAT = 'aws_v1';
const PAGE = { min: 1, max: 100, usual: 100 };
const MOST_FILTERS = 50;

export function getProducts(input: JsonInput, products: readonly Product[]): object {
  checkService(requiredText(input, 'ServiceCode'));
  checkFormat(input);
  const filters = readFilters(input);
  const found = products.filter((product) => filters.every((matches) => matches(product)));
  const { items, nextToken } = takePage(input, found);
  return {
    FormatVersion: FORMAT,
    PriceList: items.map((product) => JSON.stringify(product.document)),
    ...(nextToken !== null && { NextToken: nextToken }),
  };
}

export function describeServices(input: JsonInput, products: readonly Product[]): object {
  const code = text(input, 'ServiceCode');
  if (code) checkService(code);
  checkFormat(input);
  const names = [...new Set(products.flatMap(({ attributes }) => Object.keys(attributes)))].sort();
  const { items, nextToken } = takePage(input, [{ ServiceCode: SERVICE_CODE, AttributeNames: names }]);
  return { FormatVersion: FORMAT, Services: items, ...(nextToken !== null && { NextToken: nextToken }) };
}

export function getAttributeValues(input: JsonInput, products: readonly Product[]): object {
  checkService(requiredText(input, 'ServiceCode'));
  const name = requiredText(input, 'AttributeName');
  const values = new Set(products.flatMap((product) => fieldOf(product, name) ?? []));
  if (values.size === 0) throw new PricingError('NotFoundException', `There is no attribute ${name}.`);
  const { items, nextToken } = takePage(input, [...values].sort());
  return {
    AttributeValues: items.map((Value) => ({ Value })),
    ...(nextToken !== null && { NextToken: nextToken }),
  };
}

type Filter = (product: Product) => boolean;

function readFilters(input: JsonInput): Filter[] {
  const filters = objects(input, 'Filters');
  if (filters.length > MOST_FILTERS) throw invalid(`There are more than ${MOST_FILTERS} filters.`);
  return filters.map((filter) => {
    const type = requiredText(filter, 'Type');
    const field = requiredText(filter, 'Field');
    const value = requiredText(filter, 'Value');
    const several = value.split(',').map((one) => one.trim());
    const test = (matches: (own: string) => boolean): Filter => {
      return (product) => {
        const own = fieldOf(product, field);
        return own !== null && matches(own);
      };
    };
    switch (type) {
      case 'TERM_MATCH':
      case 'EQUALS':
        return test((own) => own === value);
      case 'CONTAINS':
        return test((own) => own.includes(value));
      case 'ANY_OF':
        return test((own) => several.includes(own));
      case 'NONE_OF':
        return test((own) => !several.includes(own));
      default:
        throw invalid(`The filter type ${type} is not one of TERM_MATCH, EQUALS, CONTAINS, ANY_OF, NONE_OF.`);
    }
  });
}

/** What a filter may name: the attributes, and what stands beside them. Null when the product has no such field. */
function fieldOf({ attributes, document }: Product, field: string): string | null {
  switch (field) {
    case 'sku':
      return document.product.sku;
    case 'productFamily':
      return document.product.productFamily;
    case 'ServiceCode':
    case 'serviceCode':
      return document.serviceCode;
    case 'termType':
      return 'OnDemand';
    default:
      return Object.hasOwn(attributes, field) ? (attributes[field] ?? null) : null;
  }
}

/** @throws PricingError for a token that isn't one of ours, or of another question. */
function takePage<T>(
  input: JsonInput,
  items: readonly T[],
): { items: readonly T[]; nextToken: string | null } {
  const size = integer(input, 'MaxResults', PAGE);
  const question = Object.entries(input)
    .filter(([name]) => name !== 'NextToken' && name !== 'MaxResults')
    .sort();
  const mark = createHash('sha256').update(JSON.stringify(question)).digest('base64url').slice(0, 16);
  const token = text(input, 'NextToken');
  let offset = 0;
  if (token) {
    const match = /^(\d{1,9})~(.{16})$/.exec(Buffer.from(token, 'base64url').toString());
    if (!match || match[2] !== mark) {
      throw new PricingError('InvalidNextTokenException', 'The pagination token is invalid.');
    }
    offset = Number(match[1]);
  }
  const end = offset + size;
  return {
    items: items.slice(offset, end),
    nextToken: end < items.length ? Buffer.from(`${end}~${mark}`).toString('base64url') : null,
  };
}

function checkService(code: string): void {
  if (code !== SERVICE_CODE) throw invalid(`The ServiceCode ${code} is not known; ${SERVICE_CODE} is.`);
}

function checkFormat(input: JsonInput): void {
  const format = text(input, 'FormatVersion');
  if (format && format !== FORMAT) throw invalid(`The FormatVersion ${format} is not ${FORMAT}.`);
}
