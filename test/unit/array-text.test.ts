import { booleanArray, numberArray, textArray } from '../../db/array-text';

// What Postgres makes of these is seen wherever heartbeats are stored; here is what must not be mistaken for its syntax.
test('text is quoted, and what would end it escaped', () => {
  expect(textArray([])).toBe('{}');
  expect(textArray(['a', null, 'NULL', '', 'a,b', '{}'])).toBe('{"a",NULL,"NULL","","a,b","{}"}');
  expect(textArray(['"', '\\', 'a"b\\c"'])).toBe('{"\\"","\\\\","a\\"b\\\\c\\""}');
});

test('numbers and booleans', () => {
  expect(numberArray([1, null, 0.5, 1e-7, 1e21])).toBe('{1,NULL,0.5,1e-7,1e+21}');
  expect(numberArray([])).toBe('{}');
  expect(booleanArray([true, false])).toBe('{t,f}');
});
