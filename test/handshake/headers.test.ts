import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Headers } from '../../src/handshake/headers.ts';

const headers = new Headers(['Host', 'a', 'X-List', '1', 'x-list', '2', 'X-LIST', '', 'Empty', '']);

test('names are compared without regard to case', () => {
  expect(headers.get('host')).toBe('a');
  expect(headers.get('HOST')).toBe('a');
  expect(headers.has('hOsT')).toBe(true);
  expect(headers.has('hos')).toBe(false);
  expect(headers.get('none')).toBeNull();
  expect(headers.getAll('none')).toEqual([]);
});

test('RFC 9110 5.3: repeated fields are joined in order, and can be had one by one', () => {
  expect(headers.get('x-list')).toBe('1, 2, ');
  expect(headers.getAll('X-List')).toEqual(['1', '2', '']);
  expect(headers.get('empty')).toBe('');
});

test('iteration and JSON keep order, spelling and repetitions', () => {
  const pairs = [
    ['Host', 'a'],
    ['X-List', '1'],
    ['x-list', '2'],
    ['X-LIST', ''],
    ['Empty', ''],
  ];
  expect([...headers]).toEqual(pairs);
  expect(JSON.parse(JSON.stringify(headers))).toEqual(pairs);
  expect(headers.raw).toHaveLength(10);
});

test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'raw'])(
  'T08: %s is a name as any other',
  (name) => {
    const none = new Headers([]);
    expect(none.get(name)).toBeNull();
    expect(none.has(name)).toBe(false);
    const before = Object.getOwnPropertyNames(Object.prototype);
    const some = new Headers([name, 'x', name.toUpperCase(), 'y']);
    expect(some.get(name)).toBe('x, y');
    expect(some.getAll(name)).toEqual(['x', 'y']);
    expect(some.toJSON()[0]).toEqual([name, 'x']);
    expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before);
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  },
);

test('T06: joining a thousand repetitions gives each value once', () => {
  const raw = Array.from({ length: 2000 }, (_, i) => (i % 2 === 0 ? 'A' : String(i >> 1)));
  expect(new Headers(raw).get('a')).toBe(Array.from({ length: 1000 }, (_, i) => i).join(', '));
});

test('a scan agrees with a filter', () => {
  const name = fc.constantFrom('a', 'A', 'b', 'bb', 'Bb', '__proto__');
  fc.assert(
    fc.property(fc.array(fc.tuple(name, fc.string()), { maxLength: 12 }), name, (pairs, wanted) => {
      const expected = pairs.filter(([n]) => n.toLowerCase() === wanted.toLowerCase()).map(([, v]) => v);
      const found = new Headers(pairs.flat());
      expect(found.getAll(wanted)).toEqual(expected);
      expect(found.get(wanted)).toBe(expected.length === 0 ? null : expected.join(', '));
      expect(found.has(wanted)).toBe(expected.length > 0);
    }),
  );
});

test('a name without a value, which only a caller can give, is no field', () => {
  const odd = new Headers(['A', 'b', 'C']);
  expect([...odd]).toEqual([['A', 'b']]);
  expect([odd.has('c'), odd.get('c'), odd.getAll('c')]).toEqual([false, null, []]);
});
