import { expect, test } from 'vitest';
import { UsageError } from '../../src/errors.ts';
import { countField, extensionsOf, formatFields, type HeaderField } from '../../src/handshake/field-lines.ts';

test('fields are printed as they are given', () => {
  expect(formatFields([], [])).toBe('');
  expect(
    formatFields(
      [
        ['X-A', '1'],
        ['x-a', ''],
      ],
      [],
    ),
  ).toBe('X-A: 1\r\nx-a: \r\n');
});

test.each([
  'Upgrade',
  'CONNECTION',
  'sec-websocket-key',
  'Sec-WebSocket-Anything',
  'content-length',
  'Transfer-Encoding',
])('%s belongs to the handshake', (name) => {
  expect(() => formatFields([[name, 'x']], [])).toThrow(name);
});

test.each<[string, unknown]>([
  ['a line break in a value', [['a', 'b\r\nX-Evil: 1']]],
  ['a line break in a name', [['a\r\nX-Evil', '1']]],
  ['an array as a value', [['a', ['b\r\nX-Evil: 1']]]],
  ['a number as a value', [['a', 1]]],
  ['one string', ['a: b']],
  ['a pair of three', [['a', 'b', 'c']]],
  ['null', [null]],
])('T59: %s is a UsageError without a raw line break', (_, headers) => {
  try {
    formatFields(headers as HeaderField[], []);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    expect((error as UsageError).code).toBe('INVALID_ARGUMENT');
    expect((error as UsageError).message).not.toContain('\n');
    return;
  }
  expect.fail('nothing was thrown');
});

test('what may come once may not come twice', () => {
  expect(() =>
    formatFields(
      [
        ['Host', 'a'],
        ['hOST', 'a'],
      ],
      ['host'],
    ),
  ).toThrow("'host' is given twice");
  expect(
    countField(
      [
        ['Host', 'a'],
        ['hOST', 'a'],
        ['b', ''],
      ],
      'host',
    ),
  ).toBe(2);
});

test('extensions are passed through if they parse', () => {
  expect(extensionsOf('a; b="c"')).toBe('a; b="c"');
  for (const bad of ['', 'a b', 'a\r\nX-Evil: 1', 'a; b="\\\r\n"']) expect(() => extensionsOf(bad)).toThrow(UsageError);
});

test('a field that may be given once may be given once, and others as often as one likes', () => {
  const headers: HeaderField[] = [
    ['Host', 'a'],
    ['X-A', '1'],
    ['X-A', '2'],
  ];
  expect(formatFields(headers, ['host', 'origin'])).toBe('Host: a\r\nX-A: 1\r\nX-A: 2\r\n');
  expect(() => formatFields([...headers, ['HOST', 'b']], ['host'])).toThrow("the header 'host' is given twice");
  expect([countField(headers, 'x-a'), countField(headers, 'host'), countField(headers, 'x-b')]).toEqual([2, 1, 0]);
});
