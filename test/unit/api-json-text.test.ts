import { parseJson } from '../../api/http/json-text';

const refused = (text: string) => {
  const parsed = parseJson(text);
  return parsed.ok ? null : { malformed: parsed.malformed, reason: parsed.reason };
};

test.each(['{}', '[]', 'null', '1', '"text"', '{"a":{"a":1},"b":[{"a":1},{"a":2}]}', '{"a":"{\\"a\\":1,"}'])(
  'takes %s',
  (text) => expect(parseJson(text)).toEqual({ ok: true, value: JSON.parse(text) }),
);

test.each(['', '{', '{"a":NaN}', "{'a':1}", '{"a":1,}', '{"a":"\n"}', 'undefined'])(
  'is no JSON: %j',
  (text) => expect(refused(text)).toMatchObject({ malformed: true }),
);

test.each([
  ['{"a":1,"a":2}', /"a" is there twice/],
  ['{"a":1,"\\u0061":2}', /"a" is there twice/],
  ['{"x":[{"b":{},"b":1}]}', /"b" is there twice/],
  ['{"a":":","a":1}', /"a" is there twice/],
  ['{"__proto__":1}', /__proto__/],
  ['{"x":{"\\u005f_proto__":1}}', /__proto__/],
  ['"\\u0000"', /NUL/],
  ['{"\\u0000":1}', /NUL/],
  ['["\\ud83d"]', /half of a character/],
])('refuses %s', (text, reason) => {
  expect(refused(text)).toMatchObject({ malformed: false, reason: expect.stringMatching(reason) });
});

test('a whole character by its two halves is fine', () => {
  expect(parseJson('"\\ud83d\\ude00"')).toEqual({ ok: true, value: '😀' });
});

test('depth costs no stack', () => {
  const deep = '['.repeat(30_000) + ']'.repeat(30_000);
  expect(parseJson(deep).ok).toBe(true);
});
