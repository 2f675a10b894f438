import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../src/errors.ts';
import type { ExtensionOffer } from '../../src/extension/extension.ts';
import {
  BYTE_CLASS,
  checkHeaderField,
  formatExtensions,
  hasToken,
  isToken,
  LINE_BYTE,
  parseExtensions,
  parseTokenList,
  TOKEN_BYTE,
  VALUE_BYTE,
} from '../../src/handshake/header-grammar.ts';

const TCHAR = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const token = fc.string({ unit: fc.constantFrom(...TCHAR), minLength: 1, maxLength: 8 });

/** A text that counts how often one of its characters is looked at. */
function counting(text: string): { value: string; reads: () => number } {
  let reads = 0;
  const value = new Proxy(new String(text), {
    get(target, key) {
      if (key === 'length') return text.length;
      if (key === 'charCodeAt') {
        return (at: number) => {
          reads++;
          return text.charCodeAt(at);
        };
      }
      const found = Reflect.get(target, key) as unknown;
      if (typeof found !== 'function') return found;
      return (...args: unknown[]) => {
        const result = (found as (...a: unknown[]) => unknown).apply(text, args);
        if (typeof result === 'string') reads += result.length;
        if (typeof result === 'number')
          reads += Math.max(0, (result < 0 ? text.length : result) - Number(args[1] ?? 0));
        return result;
      };
    },
  });
  return { value: value as unknown as string, reads: () => reads };
}

test('RFC 9110 5.6.2: the characters of a token', () => {
  for (let unit = 0; unit < 0x200; unit++) {
    const character = String.fromCharCode(unit);
    expect(isToken(character), `U+${unit.toString(16)}`).toBe(TCHAR.includes(character));
    expect(isToken(`a${character}`)).toBe(TCHAR.includes(character));
  }
  expect(isToken('')).toBe(false);
});

describe('lists of tokens', () => {
  test('elements of all fields, in order, without the space around them', () => {
    expect(parseTokenList(['a', ' b ,\tc', 'a'])).toEqual(['a', 'b', 'c', 'a']);
    expect(parseTokenList([])).toEqual([]);
  });

  test.each([['a,,b'], [',a'], ['a,'], [''], [' '], [','], ['a b'], ['a;b'], ['"a"'], ['a\xff'], ['a\u0100'], ['a\0']])(
    'T09: %j is refused',
    (value) => {
      expect(parseTokenList([value])).toBeNull();
      expect(parseTokenList(['ok', value])).toBeNull();
    },
  );

  test('parsing what was joined gives it back', () => {
    const space = fc.string({ unit: fc.constantFrom(' ', '\t'), maxLength: 3 });
    fc.assert(
      fc.property(fc.array(fc.tuple(space, token, space), { minLength: 1 }), (items) => {
        const text = items.map(([before, name, after]) => before + name + after).join(',');
        expect(parseTokenList([text])).toEqual(items.map(([, name]) => name));
      }),
    );
  });
});

describe('T42: tokens of Connection and Upgrade', () => {
  test.each([
    ['Upgrade'],
    ['UPGRADE'],
    ['keep-alive, Upgrade'],
    ['upgrade,keep-alive'],
    [',, upgrade ,'],
    ['\tupgrade\t, x'],
    ['HTTP/2.0, upgrade'],
    ['a b, upgrade'],
  ])('%j has it', (value) => {
    expect(hasToken([value], 'upgrade')).toBe(true);
    expect(hasToken(['close', value], 'upgrade')).toBe(true);
  });

  test.each([
    ['xupgrade'],
    ['upgradex'],
    ['up grade'],
    ['upgrade/1'],
    ['"upgrade"'],
    ['upgrade;q=1'],
    [''],
    [','],
    ['  '],
  ])('%j lacks it', (value) => {
    expect(hasToken([value], 'upgrade')).toBe(false);
  });

  test('two halves in two fields are no whole', () => {
    expect(hasToken(['upg', 'rade'], 'upgrade')).toBe(false);
    expect(hasToken([], 'upgrade')).toBe(false);
  });
});

describe('RFC 6455 9.1: extensions', () => {
  const offer = (name: string, ...parameters: [string, string | null][]): ExtensionOffer => ({
    name,
    parameters: parameters.map(([n, value]) => ({ name: n, value })),
  });

  test.each<[string, ExtensionOffer[]]>([
    ['foo', [offer('foo')]],
    ['foo, bar; baz=2', [offer('foo'), offer('bar', ['baz', '2'])]],
    ['deflate-stream', [offer('deflate-stream')]],
    [
      'mux; max-channels=4; flow-control, deflate-stream',
      [offer('mux', ['max-channels', '4'], ['flow-control', null]), offer('deflate-stream')],
    ],
    ['a;b="c"', [offer('a', ['b', 'c'])]],
    ['a;b="\\c\\d"', [offer('a', ['b', 'cd'])]],
    ['a ; b = c ,\td', [offer('a', ['b', 'c']), offer('d')]],
    [',a,,b,', [offer('a'), offer('b')]],
    ['a;b;b=1;b', [offer('a', ['b', null], ['b', '1'], ['b', null])]],
    ['a, a', [offer('a'), offer('a')]],
    ['__proto__; constructor=toString', [offer('__proto__', ['constructor', 'toString'])]],
  ])('%j', (value, offers) => {
    expect(parseExtensions([value])).toEqual(offers);
  });

  test.each([
    [''],
    [' '],
    [','],
    [', ,'],
    ['a;'],
    ['a;;b'],
    [';b'],
    ['a b'],
    ['a=b'],
    ['a;b='],
    ['a;=c'],
    ['a;b=c d'],
    ['a;b=""'],
    ['a;b="c d"'],
    ['a;b="c,d"'],
    ['a;b="c'],
    ['a;b="c\\'],
    ['a;b="c\\"'],
    ['a;b="\\""'],
    ['a;b="c"d'],
    ['"a"'],
    ['a;b="é"'],
    ['a;b=é'],
    ['a/b'],
    ['a;b="\\\r"'],
    // In the middle of a list.
    ['a,b;'],
    ['a,b;,c'],
    ['a,b;c='],
    ['a,b;c=,d'],
    ['a,b;c="",d'],
    ['a,b;c="d'],
  ])('malformed: %j', (value) => {
    expect(parseExtensions([value])).toBeNull();
    expect(parseExtensions(['ok', value])).toBeNull();
  });

  test('several fields are one list', () => {
    expect(parseExtensions(['a', 'b;c, d'])).toEqual([offer('a'), offer('b', ['c', null]), offer('d')]);
    expect(parseExtensions([])).toEqual([]);
  });

  const offers = fc.array(
    fc.record({
      name: token,
      parameters: fc.array(fc.record({ name: token, value: fc.option(token) }), { maxLength: 4 }),
    }),
    { minLength: 1, maxLength: 5 },
  );

  test('parse(format(x)) = x', () => {
    fc.assert(
      fc.property(offers, (list) => {
        expect(parseExtensions([formatExtensions(list)])).toEqual(list);
      }),
    );
    expect(formatExtensions([])).toBe('');
  });

  test('whatever parses, prints to something that parses to the same', () => {
    const text = fc.string({ unit: fc.constantFrom(...'aB1;,= \t"\\é'), maxLength: 14 });
    fc.assert(
      fc.property(text, (value) => {
        const parsed = parseExtensions([value]);
        if (parsed !== null) expect(parseExtensions([formatExtensions(parsed)])).toEqual(parsed);
      }),
      { numRuns: 5000 },
    );
  });

  test.each<[ExtensionOffer]>([
    [offer('')],
    [offer('a b')],
    [offer('a', ['', null])],
    [offer('a', ['b', ''])],
    [offer('a', ['b', 'c\r\nX-Evil: 1'])],
    [offer('a\r\nX-Evil: 1')],
  ])('T59: %j is not printed', (bad) => {
    expect(() => formatExtensions([bad])).toThrow(UsageError);
  });
});

describe('T07: the work is linear in the length', () => {
  const shapes: [string, (n: number) => string, (values: string[]) => unknown][] = [
    ['spaces inside a token list', (n) => `b${' '.repeat(n)}x`, parseTokenList],
    ['spaces between elements', (n) => `${' '.repeat(n)},`.repeat(2), (v) => hasToken(v, 'upgrade')],
    ['commas', (n) => ','.repeat(n), (v) => hasToken(v, 'upgrade')],
    ['space and comma by turns', (n) => ' ,'.repeat(n / 2), (v) => hasToken(v, 'upgrade')],
    ['escaped quotes without an end', (n) => `a; b="${'\\"'.repeat(n / 2)}`, parseExtensions],
    ['many offers', (n) => 'a; b=c, '.repeat(n / 8), parseExtensions],
    ['many parameters', (n) => `a${'; b="c"'.repeat(n / 7)}`, parseExtensions],
  ];
  test.each(shapes)('%s', (_, shape, parse) => {
    for (const n of [1000, 16_000]) {
      const { value, reads } = counting(shape(n));
      parse([value]);
      expect(reads()).toBeLessThan(8 * n + 100);
    }
  });
});

describe('T59: fields that a caller gives', () => {
  test.each([
    ['X-A', ''],
    ['x', 'a b\tc'],
    ['x', 'caf\xe9 \xff'],
    ['__proto__', 'a'],
  ])('%j: %j may be sent', (name, value) => {
    expect(checkHeaderField(name, value)).toBeNull();
  });

  test.each([
    ['', 'a'],
    ['a b', 'a'],
    ['a:', 'a'],
    ['a\r\nb', 'a'],
    ['é', 'a'],
    ['a', 'b\r\nX-Evil: 1'],
    ['a', 'b\nX-Evil: 1'],
    ['a', 'b\rc'],
    ['a', '\0'],
    ['a', '\x7f'],
    ['a', '\x1b'],
    ['a', '\u0100'],
    ['a', '\u{1f600}'],
    ['a', '\u010a'],
    ['a', ' b'],
    ['a', 'b\t'],
  ])('%j: %j may not', (name, value) => {
    expect(checkHeaderField(name, value)).toBeTypeOf('string');
  });

  test('what is wrong is said', () => {
    expect(checkHeaderField('a b', 'c')).toBe('its name is not a token');
    for (const beyond of ['\u0100', '\u010a', '\u{1f600}']) {
      expect(checkHeaderField('a', `b${beyond}`)).toBe('its value has a character beyond latin1');
    }
    expect(checkHeaderField('a', 'b\n')).toBe('its value has a control character');
    expect(checkHeaderField('a', 'b ')).toBe('its value begins or ends with whitespace');
  });

  test('wrong types are told, not coerced', () => {
    expect(checkHeaderField(1 as unknown as string, 'a')).toBeTypeOf('string');
    expect(checkHeaderField('a', ['b', 'c'] as unknown as string)).toBeTypeOf('string');
    expect(checkHeaderField('a', undefined as unknown as string)).toBeTypeOf('string');
  });
});

test('hasToken looks at the letters of an element, not at its length', () => {
  for (const [values, found] of [
    [['websockex'], false],
    [['a, websockex'], false],
    [['websockex,WebSocket'], true],
    [['ab', 'websocke', 'websockets'], false],
    [['   \t websocket\t '], true],
    [['a,,  ,websocket'], true],
    [['a;websocket'], false],
    [[], false],
    [[''], false],
    [[' ', ','], false],
  ] as const) {
    expect(hasToken(values, 'websocket'), values.join('|')).toBe(found);
  }
});

test('each byte is of the classes that RFC 9110 and 9112 give it', () => {
  for (let byte = 0; byte < 256; byte++) {
    const character = String.fromCharCode(byte);
    const line = byte >= 0x20 && byte < 0x7f;
    const classes =
      (/[!#$%&'*+.^_`|~0-9A-Za-z-]/.test(character) ? TOKEN_BYTE : 0) |
      (line || byte === 0x09 || byte > 0x7f ? VALUE_BYTE : 0) |
      (line ? LINE_BYTE : 0);
    expect(BYTE_CLASS[byte], `byte ${byte}`).toBe(classes);
  }
});
