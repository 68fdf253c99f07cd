import { XMLParser } from 'fast-xml-parser';
import { Ec2Error } from '../../simulator/ec2/errors';
import { readFilters, tagFilterValues } from '../../simulator/ec2/filters';
import { QueryParameters } from '../../simulator/ec2/query-parameters';
import { errorXml, responseXml } from '../../simulator/ec2/xml';
import { readOptions } from '../../simulator/options';

const code = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof Ec2Error) return error.code;
    throw error;
  }
  return 'none';
};

describe('parameters of the query protocol', () => {
  const parameters = QueryParameters.parse(
    'Action=X&Name=&Count=7&On=true&InstanceId.2=b&InstanceId.10=c&InstanceId.1=a&Filter.1.Name=tag%3AEnv&Filter.1.Value.1=p*&__proto__.1=x',
  );

  test('are read by name, list and group', () => {
    expect(parameters.text('Name')).toBeNull();
    expect(parameters.integer('Count', { min: 1, max: 9 })).toBe(7);
    expect(parameters.boolean('On')).toBe(true);
    expect(parameters.list('InstanceId')).toEqual(['a', 'b', 'c']);
    expect(parameters.groups('Filter').map((filter) => filter.required('Name'))).toEqual(['tag:Env']);
    expect(parameters.list('__proto__')).toEqual(['x']);
  });

  test.each([
    ['MissingParameter', () => parameters.required('Name')],
    ['InvalidParameterValue', () => parameters.integer('Count', { min: 8, max: 9 })],
    ['InvalidParameterValue', () => parameters.boolean('Count')],
    ['InvalidParameterValue', () => parameters.moment('Count')],
    ['InvalidParameterValue', () => parameters.choice('Count', ['one', 'two'])],
    ['UnknownParameter', () => parameters.allowOnly(['Name', 'Count', 'On', 'InstanceId'])],
    ['MalformedQueryString', () => QueryParameters.parse('A=1&A=2')],
    ['InvalidQueryParameter', () => QueryParameters.parse('A.x=1').list('A')],
  ])('are refused with %s', (expected, run) => expect(code(run)).toBe(expected));
});

test('filters match any of their values, with wild cards, and each other', () => {
  const matching = (form: string, tags: Record<string, string>) =>
    readFilters(QueryParameters.parse(form), tagFilterValues, {})(tags);
  expect(matching('Filter.1.Name=tag:Env&Filter.1.Value.1=pr?d*&Filter.1.Value.2=x', { Env: 'prod-1' })).toBe(
    true,
  );
  expect(matching('Filter.1.Name=tag:Env&Filter.1.Value.1=prod', { Env: 'prod-1' })).toBe(false);
  expect(matching('Filter.1.Name=tag:a.c&Filter.1.Value.1=(.*', { 'a.c': '(.x' })).toBe(true);
  const literal = (value: string) =>
    matching('Filter.1.Name=tag:a&Filter.1.Value.1=x\\*\\?\\\\y', { a: value });
  expect(literal('x*?\\y')).toBe(true);
  expect(literal('x12\\y')).toBe(false);
  expect(
    matching('Filter.1.Name=tag-key&Filter.1.Value.1=a&Filter.2.Name=tag:b&Filter.2.Value.1=2', { a: '1' }),
  ).toBe(false);
  expect(code(() => matching('Filter.1.Name=nonsense&Filter.1.Value.1=1', {}))).toBe('InvalidParameterValue');
});

test.each([
  ['*', '', true],
  ['a*b*c', 'a1b2b3c', true],
  ['a*b*c', 'a1b2b3', false],
  ['**?', '', false],
  ['?', '😀', true],
  ['?*?', 'a', false],
  ['*\\*', 'x*', true],
  ['*\\', 'x\\', true],
])('the filter %s of %j is %s', (value, text, expected) => {
  const form = new URLSearchParams({ 'Filter.1.Name': 'tag:a', 'Filter.1.Value.1': value });
  expect(readFilters(QueryParameters.parse(String(form)), tagFilterValues, {})({ a: text })).toBe(expected);
});

test('a filter of many wild cards takes no longer than a look at the text', () => {
  const value = `${'a*'.repeat(5)}b`;
  const matches = readFilters(
    QueryParameters.parse(`Filter.1.Name=tag:a&Filter.1.Value.1=${value}`),
    tagFilterValues,
    {},
  );
  const start = performance.now();
  expect(matches({ a: 'a'.repeat(160) })).toBe(false);
  expect(performance.now() - start).toBeLessThan(1_000);
});

test('answers are XML whatever text they hold', () => {
  const xml = responseXml('X', 'id', {
    text: `<&>"'\u0000\u001f]]>é😀`,
    list: [{ a: 1 }, { a: 2 }],
    none: null,
    empty: [],
    at: new Date(0),
  });
  expect(new XMLParser({ ignoreAttributes: false }).parse(xml)).toMatchObject({
    XResponse: {
      requestId: 'id',
      text: `<&>"'\ufffd\ufffd]]>é😀`,
      list: { item: [{ a: 1 }, { a: 2 }] },
      empty: '',
      at: '1970-01-01T00:00:00.000Z',
    },
  });
  expect(errorXml('C', 'a<b', 'id')).toContain('<Code>C</Code><Message>a&lt;b</Message>');
});

describe('the flags', () => {
  test('have defaults', () =>
    expect(readOptions([])).toMatchObject({
      port: null,
      seed: 1,
      speed: 1,
      bootSeconds: [18, 30],
      boot: 'process',
      stateFolder: null,
    }));

  test.each([
    [['--port', 'x'], '--port is not usable: got "x"; it takes a whole number from 1 to 65535'],
    [['--port', '70000'], '--port is not usable'],
    [['--speed', '0'], '--speed is not usable: got "0"'],
    [['--speed', '1e3'], '--speed is not usable'],
    [['--synthetic', '1.5'], '--synthetic is not usable'],
    [['--boot', 'maybe'], '--boot is not usable: got "maybe"; it takes none or process'],
    [['--boot-seconds', '30-18'], '--boot-seconds is not usable'],
    [['--boot-seconds', '-'], '--boot-seconds is not usable'],
    [['--restart-seconds', ''], '--restart-seconds is not usable'],
    [['--account', '12'], '--account is not usable'],
    [['--traces', 'a', '--synthetic', '1'], '--traces and --synthetic exclude each other'],
    [['--nonsense'], '--nonsense'],
    [['extra'], 'extra'],
  ])('%j are refused with a sentence', (args, sentence) => expect(() => readOptions(args)).toThrow(sentence));
});
