import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isSegment, NameRules, type Patterns, type RuleOrder, readName } from '../../src/gateway/name-rules.ts';

const allows = (name: string, options: { allow?: Patterns; deny?: Patterns; order?: RuleOrder } = {}) =>
  new NameRules(options.allow, options.deny, options.order ?? 'deny-first', 'gateway').allows(name);

describe('T64: the path of a request becomes a name, or nothing', () => {
  test.each([
    ['/', ''],
    ['/chat', 'chat'],
    ['/a/b/c', 'a/b/c'],
    ['/a.b..c', 'a.b..c'],
    ['/...', '...'],
    ['/%63hat', 'chat'],
    ['/caf%C3%A9', 'café'],
    ['/a%20b', 'a b'],
    // Decoded once: what is left is a name like any other.
    ['/%252e%252e', '%2e%2e'],
    ['/%252e%252e%252fetc', '%2e%2e%2fetc'],
    ['/C%3A', 'C:'],
  ])('%s is %j', (path, name) => {
    expect(readName(path)).toBe(name);
  });

  test.each([
    ...['', 'chat', '*', 'http://x/chat', '//', '//chat', '/chat/', '/a//b', '/.', '/./a', '/a/.', '/a/./b'],
    ...['/..', '/../a', '/a/..', '/a/../b', '/../../var/run/docker.sock', '/%2e', '/%2E%2e', '/%2e%2e/%2e%2e/run/x'],
    ...['/.%2e/x', '/%2e./x', '/a/%2e%2e/b', '/%2e%2e%2fetc', '/..%2fetc', '/a%2fb', '/a%2Fb', '/%2f', '/%2fetc'],
    ...[
      '/%5c',
      '/a%5cb',
      '/..%5c..%5cx',
      '/..\\x',
      '/a\\b',
      '/%00',
      '/a%00b',
      '/chat%00.txt',
      '/%0a',
      '/a%0d%0ab',
      '/%7f',
    ],
    ...['/%', '/%z', '/%zz', '/a%2', '/%c0%ae%c0%ae/x', '/%e0%80%ae', '/%ff', '/%ed%a0%80', '/%u002e'],
  ])('%s is none', (path) => {
    expect(readName(path)).toBeNull();
  });

  test('whatever comes, a name stays below its folder', () => {
    const piece = fc.constantFrom(
      '.',
      '..',
      '%2e',
      '%2E',
      '/',
      '%2f',
      '%252f',
      '\\',
      '%5c',
      '%00',
      'a',
      '%',
      'é',
      '%c3%a9',
      ' ',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const name = readName(`/${pieces.join('')}`);
        if (name === null || name === '') return;
        for (const segment of name.split('/')) expect(isSegment(segment)).toBe(true);
        expect(new URL(`file:///docroot/${name.split('/').map(encodeURIComponent).join('/')}`).pathname).toMatch(
          /^\/docroot\/./,
        );
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('row 93: allow and deny', () => {
  test.each<[string, Patterns, boolean]>([
    ['chat', '*', true],
    ['a/b', '*', false],
    ['a/b', '**', true],
    ['a/b', '*/*', true],
    ['a/b/c', 'a/**', true],
    ['a', 'a/**', false],
    ['a/b/c', 'a/*', false],
    ['ws_foo', 'ws_*', true],
    ['xws_foo', 'ws_*', false],
    ['auth', 'auth', true],
    ['authx', 'auth', false],
    ['Auth', 'auth', false],
    ['aab', '*ab', true],
    ['a1', 'a?', true],
    ['a', 'a?', false],
    ['a/1', 'a?1', false],
    ['chat', ['x', 'c*t'], true],
    ['chat', 'x, chat', true],
    ['chat', 'x,y', false],
    ['chat', '', false],
    ['chat', [], false],
    ['a.b', 'a.b', true],
    ['axb', 'a.b', false],
    ['a[b]', 'a[b]', true],
  ])('%s with allow %j: %s', (name, allow, expected) => {
    expect(allows(name, { allow })).toBe(expected);
    // The same matcher denies.
    expect(allows(name, { allow: '**', deny: allow })).toBe(!expected);
  });

  test('deny wins, and without allow all names in the folder itself are open', () => {
    expect(allows('chat')).toBe(true);
    expect(allows('a/b')).toBe(false);
    expect(allows('secret', { deny: 'secret' })).toBe(false);
    expect(allows('secret', { allow: 'secret', deny: '*' })).toBe(false);
    expect(allows('other', { allow: 'chat' })).toBe(false);
  });

  test("'?' is one character, also where UTF-16 has two units", () => {
    for (const name of ['a', 'é', '€', '😀']) {
      expect([name, allows(name, { allow: '?' }), allows(name, { allow: '??' })]).toEqual([name, true, false]);
    }
    expect(allows('a😀b', { allow: 'a?b' })).toBe(true);
    expect(allows('😀', { allow: '😀' })).toBe(true);
    expect(allows('😁', { allow: '😀' })).toBe(false);
  });

  test("order 'allow-first': allow names the exceptions", () => {
    const options = { allow: 'chat', deny: '*', order: 'allow-first' } as const;
    expect(allows('chat', options)).toBe(true);
    expect(allows('secret', options)).toBe(false);
    expect(allows('a/b', options)).toBe(true);
  });

  test('a pattern is matched in the time of its length times the name’s', () => {
    const name = 'a'.repeat(100);
    expect(allows(name, { allow: `${'*a'.repeat(50)}*b` })).toBe(false);
    expect(allows(name, { allow: `${'**a'.repeat(100)}` })).toBe(true);
  });

  test.each<[Patterns | unknown, RegExp]>([
    ['/chat', /allow.*begin without a slash/],
    [['a', ''], /allow.*empty/],
    ['a,,b', /allow.*empty/],
    ['../x', /allow.*no '\.\.'/],
    ['a\\*', /backslash/],
    ['a/', /empty segment/],
    [5, /allow.*must be patterns/],
    [['a', 5], /no string: 5/],
  ])('the pattern %j is refused', (allow, message) => {
    expect(() => allows('x', { allow: allow as Patterns })).toThrow(message);
  });

  test("order 'allow-first' needs both lists", () => {
    expect(() => allows('x', { order: 'allow-first', deny: 'x' })).toThrow(/order/);
    expect(() => allows('x', { order: 'allow-first', allow: 'x' })).toThrow(/order/);
  });
});
